import { setTimeout as delay } from 'node:timers/promises'
import { Recorder } from '../measure/recorder.ts'
import { Client, type ClientOptions } from '../wire/client.ts'
import { contentOf } from './typists.ts'

const PATIENCE_MS = 20_000

/** The document updates a recorder holds, in order of arrival. */
export function documentUpdates(recorder: Recorder, options: ClientOptions): Uint8Array[] {
  const updates: Uint8Array[] = []
  for (const { bytes } of recorder) {
    const { kind, payload } = options.dialect.read(bytes)
    if (kind === 'step2' || kind === 'update') updates.push(payload)
  }
  return updates
}

/**
 * What a newcomer is given. Some servers say "synced" first and send what they had stored afterwards, so this goes on
 * listening until `enough` or `patienceMs`.
 */
export async function fetchUpdates(
  options: ClientOptions,
  enough: (updates: readonly Uint8Array[]) => boolean,
  patienceMs = PATIENCE_MS,
): Promise<Uint8Array[]> {
  const recorder = new Recorder()
  const client = new Client({ ...options, recorder })
  const deadline = performance.now() + patienceMs
  await Promise.race([client.synced(), delay(patienceMs)])
  let seen = -1
  let updates: Uint8Array[] = []
  while (performance.now() < deadline && client.closedBy === null) {
    if (recorder.count !== seen) {
      seen = recorder.count
      updates = documentUpdates(recorder, options)
      if (enough(updates)) break
    }
    await delay(20)
  }
  client.close()
  return updates
}

/** Whether a newcomer's document reads exactly as `expected` (see `contentOf`). */
export async function holds(options: ClientOptions, expected: string, patienceMs = PATIENCE_MS): Promise<boolean> {
  let same = false
  await fetchUpdates(
    options,
    (updates) => {
      same = contentOf(updates) === expected
      return same
    },
    patienceMs,
  )
  return same
}

/** Runs `task` for every item, at most `atOnce` at a time. */
export async function forEachAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items]
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await task(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
