import { StorageError } from '../../../shared/errors.ts'
import type { StorageErrorCode } from '../../../shared/errors.ts'
import type { EngineHealth, Entry, Loaded, Snapshot } from '../engine.ts'
import { FrameType, requireFitting } from './frames.ts'
import type { Frame } from './frames.ts'
import type { Outlet } from './outlet.ts'

/** Characters of an error's message that are passed on. */
const MAX_MESSAGE_LENGTH = 4096
/** Bytes an entry takes besides its update, at most. */
const ENTRY_OVERHEAD_BYTES = 64

/** @throws StorageError when it does not fit into one frame; nothing has been written then */
export function writeLoaded(outlet: Outlet, id: number, loaded: Loaded): void {
  const { snapshot, tail } = loaded
  requireFitting(entriesBytes(tail) + (snapshot?.state.length ?? 0) + (snapshot?.stateVector.length ?? 0))
  outlet.begin(FrameType.done, id).flag(loaded.damaged).cursor(loaded.base).cursor(loaded.head)
  outlet.flag(snapshot !== null)
  if (snapshot !== null) outlet.bytes(snapshot.stateVector).bytes(snapshot.state)
  writeEntries(outlet, tail)
  outlet.end()
}

export function readLoaded(frame: Frame): Loaded {
  const [damaged, base, head] = [frame.flag(), frame.cursor(), frame.cursor()]
  const snapshot = frame.flag() ? readSnapshot(frame) : null
  return { damaged, base, head, snapshot, tail: readEntries(frame) }
}

/** @throws StorageError when it does not fit into one frame; nothing has been written then */
export function writeTail(outlet: Outlet, id: number, tail: readonly Entry[] | 'trimmed'): void {
  if (tail !== 'trimmed') requireFitting(entriesBytes(tail))
  outlet.begin(FrameType.done, id).flag(tail === 'trimmed')
  writeEntries(outlet, tail === 'trimmed' ? [] : tail)
  outlet.end()
}

export function readTail(frame: Frame): readonly Entry[] | 'trimmed' {
  const trimmed = frame.flag()
  const entries = readEntries(frame)
  return trimmed ? 'trimmed' : entries
}

export function readEntry(frame: Frame): Entry {
  return { cursor: frame.text(), update: copyOf(frame.rest()) }
}

export function writeNames(outlet: Outlet, id: number, names: readonly string[]): void {
  outlet.begin(FrameType.done, id).uint32(names.length)
  for (const name of names) outlet.text(name)
  outlet.end()
}

export function readNames(frame: Frame): readonly string[] {
  return Array.from({ length: frame.uint32() }, () => frame.text())
}

export function writeError(outlet: Outlet, { code, message }: StorageError): Outlet {
  return outlet.text(code).text(message.slice(0, MAX_MESSAGE_LENGTH))
}

export function readError(frame: Frame): StorageError {
  // Both ends are of one build: a code is one that build knows.
  return new StorageError(frame.text() as StorageErrorCode, frame.text())
}

export function writeHealth(outlet: Outlet, health: EngineHealth): Outlet {
  const failing = health.state === 'failing'
  return writeError(outlet.flag(failing), failing ? health.error : noError)
}

/** @param since what `Clock.now` says here: the other process has another clock */
export function readHealth(frame: Frame, since: number): EngineHealth {
  const failing = frame.flag()
  const error = readError(frame)
  return failing ? { state: 'failing', error, since } : { state: 'ok' }
}

const noError = new StorageError('STORAGE_UNAVAILABLE', '')

function readSnapshot(frame: Frame): Snapshot {
  const stateVector = copyOf(frame.bytes())
  return { stateVector, state: copyOf(frame.bytes()) }
}

function writeEntries(outlet: Outlet, entries: readonly Entry[]): void {
  outlet.uint32(entries.length)
  for (const { cursor, update } of entries) outlet.cursor(cursor).bytes(update)
}

function readEntries(frame: Frame): Entry[] {
  return Array.from({ length: frame.uint32() }, () => ({ cursor: frame.text(), update: copyOf(frame.bytes()) }))
}

function entriesBytes(entries: readonly Entry[]): number {
  return entries.reduce((sum, { update }) => sum + update.length + ENTRY_OVERHEAD_BYTES, 0)
}

/** Of its own memory: a view would keep everything alive that was received together with it. */
function copyOf(view: Buffer): Uint8Array {
  return new Uint8Array(view)
}
