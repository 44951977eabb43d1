/** `scriptorium/testing/engine`: what somebody needs who writes an engine or an archive of their own, or tests against one. */
export type { ArchiveUnderTest } from './archiveContract.ts'
export { archiveContract } from './archiveContract.ts'
export type { EngineCase, EngineUnderTest } from './engineCase.ts'
export { engineContract } from './engineContract.ts'
export { type ArchiveOperation, FaultyArchive } from './faultyArchive.ts'
export { type FaultTiming, FaultyEngine, type Operation } from './faultyEngine.ts'
export { MemoryEngine } from '../engine/memory/memoryEngine.ts'
export { MemoryArchive } from '../engine/archive/memoryArchive.ts'
