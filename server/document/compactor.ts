import { toError } from '../../shared/errors.ts'
import type { Cursor, Engine, Loaded } from '../engine/engine.ts'
import type { Observer } from '../observer.ts'
import { MAX_TAIL_BYTES } from './content.ts'
import type { Content } from './content.ts'

/** Log entries after which a snapshot is worth its price: every joiner receives them one by one. */
const MAX_TAIL_ENTRIES = 300
/** Large documents may have longer tails: one more entry per this many bytes of snapshot. */
const SNAPSHOT_BYTES_PER_TAIL_ENTRY = 4096
/** Bytes of log below which no snapshot is made, however small the document. */
const MIN_TAIL_BYTES = 64 * 1024

/** Kind of the message that tells the other nodes of a snapshot; its bytes are its `upTo`, in ASCII. */
export const COMPACTED = 'compacted'

export interface CompactorOptions {
  readonly name: string
  readonly engine: Engine
  readonly observer: Observer
}

/** When a document's log is replaced by a snapshot: one attempt at a time, and never in anybody's way. Rule D10. */
export class Compactor {
  readonly #options: CompactorOptions
  #base: Cursor | null = null
  /** Entries in the log after `#base`. */
  #logged = 0
  /** Nodes that share a document see the same log grow: each waits a little longer than the one before it. */
  #patience = 1
  /** The `upTo` of a snapshot another node has made. */
  #elsewhere: Cursor | null = null
  #running: Promise<void> | null = null

  constructor(options: CompactorOptions, loaded: Loaded) {
    this.#options = options
    this.begin(loaded)
  }

  /** Resolves when nothing is running. */
  get finished(): Promise<unknown> {
    return this.#running ?? Promise.resolve()
  }

  /** Whether another node has made a snapshot, so that `fold` has something to do. */
  get mayFold(): boolean {
    return this.#elsewhere !== null
  }

  /** Whether there is anything a snapshot would replace. */
  get hasEntries(): boolean {
    return this.#logged > 0
  }

  /** The log has been read: it begins with this snapshot. */
  begin(loaded: Loaded): void {
    this.#base = loaded.base
    this.#logged = loaded.tail.length
  }

  appended(): void {
    this.#logged += 1
  }

  /** Another node writes here too. */
  replicated(entries: number): void {
    this.#logged += entries
    this.#patience = patienceOf(this.#options.engine.node)
  }

  compactedElsewhere(upTo: Cursor): void {
    this.#elsewhere = upTo
  }

  /** Ours would say what the other node's says: the log after it is short, and in memory it may be too. */
  fold(content: Content): void {
    if (this.#elsewhere === null) return
    this.#base = this.#elsewhere
    this.#elsewhere = null
    this.#logged = 0
    if (content.isCheap) content.takeSnapshot()
  }

  /** Whether the tail has grown so long that a snapshot pays. */
  isDue(content: Content): boolean {
    const { entries, bytes, snapshotBytes } = content.sizes
    if (content.isLossy || this.#running !== null) return false
    return (
      entries > this.#patience * Math.max(MAX_TAIL_ENTRIES, snapshotBytes / SNAPSHOT_BYTES_PER_TAIL_ENTRY) ||
      bytes > Math.min(MAX_TAIL_BYTES, this.#patience * Math.max(MIN_TAIL_BYTES, snapshotBytes / 2))
    )
  }

  /**
   * Never rejects: when it fails everything still is in the log, and the next snapshot tries again.
   *
   * @param upTo all up to here is in the content, whatever else is
   */
  run(upTo: Cursor, content: Content): Promise<void> {
    this.#running ??= this.#compact(upTo, content).finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #compact(upTo: Cursor, content: Content): Promise<void> {
    const { name, engine, observer } = this.#options
    const logged = this.#logged
    try {
      const snapshot = content.takeSnapshot()
      if (snapshot === null) return // of a log that cannot be read whole
      const done = await engine.compact(name, this.#base, upTo, snapshot)
      // Somebody else was first: what it left is the base to continue from.
      this.#base = done ? upTo : (await engine.load(name)).base
      const bytes = snapshot.state.length
      observer.observe({ type: 'compacted', document: name, bytes, result: done ? 'done' : 'superseded' })
      if (!done) return
      // Meanwhile the log may have been read again, or another node's snapshot been heard of.
      this.#logged = Math.max(0, this.#logged - logged)
      engine.publish(name, COMPACTED, Buffer.from(upTo))
    } catch (error) {
      observer.observe({ type: 'compactionFailed', document: name, error: toError(error) })
    }
  }
}

/** From 1 to 1.5. */
function patienceOf(node: string): number {
  let sum = 0
  for (let index = 0; index < node.length; index += 1) sum += node.charCodeAt(index) * (index + 1)
  return 1 + (sum % 64) / 128
}
