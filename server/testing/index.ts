/** `scriptorium/testing`: what somebody needs who writes an engine of their own, or tests against one. */
export type { EngineCase, EngineUnderTest } from './engineCase.ts'
export { engineContract } from './engineContract.ts'
export { FakeClock } from './fakeClock.ts'
export { type FaultTiming, FaultyEngine, type Operation } from './faultyEngine.ts'
export { MemoryEngine } from '../engine/memory/memoryEngine.ts'
