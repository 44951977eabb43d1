import assert from 'node:assert/strict'
import type { Cursor, Engine, Loaded, Snapshot } from '../engine/engine.ts'

/** An engine under test, empty at the start of each case. */
export interface EngineUnderTest {
  readonly engine: Engine
  /** Closes the engine and opens the same storage again. An engine that keeps nothing returns the one it has. */
  reopen(): Promise<Engine>
  /** Closes what is open and removes the storage. */
  cleanup(): Promise<void>
}

/** An engine that several nodes share. */
export interface SharedEngineUnderTest extends EngineUnderTest {
  /** Another node on the same storage, open beside `engine`; closed by `cleanup`. */
  peer(): Promise<Engine>
}

export interface EngineCase {
  readonly title: string
  /** Throws an AssertionError when the engine breaks the promise named in the title. */
  readonly run: () => Promise<void>
}

type CaseBody = (engine: Engine, test: EngineUnderTest) => Promise<void>
export type NamedCase = readonly [title: string, body: CaseBody]

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
export const snapshotOf = (...values: number[]): Snapshot => ({
  state: bytes(...values),
  stateVector: bytes(values.length),
})
export const contents = (loaded: Loaded): number[][] => loaded.tail.map((entry) => Array.from(entry.update))

export async function appendAll(engine: Engine, document: string, values: readonly number[]): Promise<Cursor[]> {
  const cursors: Cursor[] = []
  for (const value of values) cursors.push(await engine.append(document, bytes(value)))
  return cursors
}

export function at(cursors: readonly Cursor[], index: number): Cursor {
  const cursor = cursors.at(index)
  assert.ok(cursor !== undefined, `there is a cursor ${index}`)
  return cursor
}

export function sequence(cursor: Cursor): number {
  return Number(cursor.slice(cursor.lastIndexOf('-') + 1))
}
