import * as Y from 'yjs'
import { toError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import { containsDeletes, mergeDeletes, readDeleteSet } from '../../shared/update/deleteSet.ts'
import type { DeleteSet } from '../../shared/update/deleteSet.ts'
import { advance, bringsNothing, decodeStateVector, encodeStateVector } from '../../shared/update/stateVector.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import { mergePlain } from '../../shared/update/plainUpdate.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { EMPTY_STATE_VECTOR, EMPTY_UPDATE, syncUpdate } from '../../shared/wire/messages.ts'
import type { Loaded, Snapshot } from '../engine/engine.ts'
import { Answers } from './answers.ts'
import type { Answer, Answering } from './answers.ts'
import { Broadcast } from './broadcast.ts'
import type { Admission, Applied } from './admission.ts'
import type { Submission } from './participant.ts'
import { canApply, isPending, rebuild } from './rebuild.ts'

/** Bytes of log above which a snapshot is made, however large the document: half of what a socket may have unread. */
export const MAX_TAIL_BYTES = 2 * 1024 * 1024

/** What the log holds has been judged when it came; a whole document may have more structs than one update may. */
export const OURS = { maxValueDepth: Infinity, maxStructsPerUpdate: Infinity }

/** Submissions put together without Yjs; of more than that, Yjs makes fewer bytes. */
const MAX_PLAIN = 256
/** Bytes of a document that is taken apart for a last snapshot although nobody needed its `Y.Doc`. */
const MAX_CHEAP_BYTES = 256 * 1024

/** What is wrong with a log. */
export interface Flaws {
  /** Part of it builds on something that is not there. */
  readonly damaged: boolean
  /** Part of it cannot be read, and must not be lost to a snapshot without it. */
  readonly lossy: boolean
}

/**
 * What one document holds: the encoded state of the last snapshot and the committed updates since, exactly as the engine
 * has them, and, once somebody has made more of it than plain typing does, a `Y.Doc`. Only the committed bytes are ever shown to clients. Knows no
 * sessions and does no I/O.
 */
export class Content implements Answering {
  readonly #limits: Limits
  #snapshot: Snapshot
  #tail: Uint8Array[]
  #tailBytes: number
  /** State vector of all that was accepted, committed or not. */
  #frontier: Map<number, number>
  #doc: Y.Doc | null = null
  /** What Yjs made of the current transaction; more than one when it tidied up formatting in a second one. */
  #emitted: Uint8Array[] = []
  /** Plain updates of which the `Y.Doc` does not know yet. */
  #behind: Uint8Array[] = []
  /** Deletes of a document that has no `Y.Doc`, read when first asked for. */
  #deletes: DeleteSet | null = null
  /** Known holes in what was stored: Yjs then holds what cannot be connected, and clients may still fill the gap. */
  #damaged: boolean
  /** Entries on which Yjs throws are left out of the `Y.Doc`, and must not be lost to a snapshot without them. */
  #lossy = false
  readonly #onLoss: (error: Error) => void
  /** Whether anything here stands under a key; null: not looked yet. */
  #keyed: boolean | null = null
  readonly #answers = new Answers(this)
  #version = 0
  #admitted = 0
  #rewinds = 0
  /** True while the frontier is what the log holds. What was accepted since may turn out poisonous: it proves nothing. */
  #isStored = true

  /** @param onLoss told when Yjs throws on something that the log holds */
  constructor(loaded: Loaded, limits: Limits, onLoss: (error: Error) => void = () => {}) {
    this.#limits = limits
    this.#onLoss = onLoss
    this.#snapshot = loaded.snapshot ?? { state: EMPTY_UPDATE, stateVector: EMPTY_STATE_VECTOR }
    this.#tail = loaded.tail.map((entry) => entry.update).filter((update) => this.#read(update) !== null)
    this.#tailBytes = this.#tail.reduce((sum, update) => sum + update.length, 0)
    const { vector, complete } = this.#committedVector()
    this.#frontier = vector
    this.#damaged = loaded.damaged || this.#lossy || !complete
    if (this.#damaged) this.#frontier = vectorOf(this.#wake())
  }

  get damaged(): boolean {
    return this.#damaged
  }

  /** Rises with every commit. */
  get version(): number {
    return this.#version
  }

  /** Rises with every update that fits: what did not fit before may fit now. */
  get admitted(): number {
    return this.#admitted
  }

  /** Rises with every `discard`: state vectors given out before may have promised too much. */
  get rewinds(): number {
    return this.#rewinds
  }

  /** Whether there is something in the log that a snapshot would lose. */
  get isLossy(): boolean {
    return this.#lossy
  }

  /** What a joiner receives. */
  get sizes(): { readonly entries: number; readonly bytes: number; readonly snapshotBytes: number } {
    return { entries: this.#tail.length, bytes: this.#tailBytes, snapshotBytes: this.#snapshot.state.length }
  }

  /** Whether a snapshot can be made at no cost worth mentioning. */
  get isCheap(): boolean {
    if (this.#lossy) return false
    return this.#doc !== null || this.#snapshot.state.length + this.#tailBytes <= MAX_CHEAP_BYTES
  }

  admit(shape: UpdateShape): Admission {
    if (this.#isStored && bringsNothing(this.#frontier, shape) && this.#knowsDeletes(shape)) return 'nothing'
    const { runs, deletes } = shape
    const appends = runs.length === 3 && deletes.length === 0 && runs[1] === (this.#frontier.get(runs[0] ?? -1) ?? 0)
    if (advance(this.#frontier, shape) === 'missing') return 'missing'
    this.#admitted += 1
    this.#isStored = false
    if (shape.keyed === true) this.#keyed = true
    return appends ? 'appends' : 'fits'
  }

  /**
   * Makes one update of a batch. Usually that is one Yjs transaction. Plain typing needs none: its bytes are put together,
   * and the `Y.Doc` is brought up to date when somebody needs it. After `ok: false` call `discard`.
   */
  apply(batch: readonly Submission[]): Applied {
    const updates = batch.map((submission) => submission.update ?? EMPTY_UPDATE)
    const isPlain = !this.#damaged && batch.length <= MAX_PLAIN && batch.every((submission) => submission.appends)
    // A character beside a value under a key would take its place, and delete it: only Yjs knows that.
    const merged = isPlain && !this.#hasKeys() ? mergePlain(updates) : null
    if (merged === null) return this.#integrate(updates)
    if (this.#doc !== null) this.#behind.push(merged)
    return { ok: true, merged, isVerbatim: true }
  }

  #integrate(updates: readonly Uint8Array[]): Applied {
    const wasDamaged = this.#damaged
    const doc = this.#wake()
    if (this.#damaged && !wasDamaged) return { ok: false, culprit: 'none' }
    this.#emitted = []
    let culprit: number | null = null
    try {
      doc.transact(() => {
        for (let index = 0; index < updates.length; index += 1) {
          culprit = index
          Y.applyUpdate(doc, updates[index] ?? EMPTY_UPDATE)
        }
        culprit = null
      })
      if (this.#damaged) return this.#integrated(vectorOf(doc), updates)
      if (isPending(doc)) throw new Error('Yjs could not integrate what validation let through')
      return this.#takeEmitted(updates)
    } catch (error) {
      return { ok: false, culprit, error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  /** In a damaged document Yjs may keep back what was admitted; that is not saved, and must not be taken for it. */
  #integrated(vector: Map<number, number>, updates: readonly Uint8Array[]): Applied {
    const isIn = (update: Uint8Array): boolean => bringsNothing(vector, walkUpdate(update, OURS))
    if (!updates.every(isIn)) return { ok: false, culprit: 'none' }
    this.#frontier = vector
    return this.#takeEmitted(updates)
  }

  #takeEmitted([first, ...others]: readonly Uint8Array[]): Applied {
    const [emitted = null, ...more] = this.#emitted
    const merged = emitted !== null && more.length > 0 ? Y.mergeUpdates(this.#emitted) : emitted
    const isOne = merged !== null && first !== undefined && others.length === 0
    return { ok: true, merged, isVerbatim: isOne && Buffer.compare(merged, first) === 0 }
  }

  /** Forgets everything that is not committed. */
  discard(): void {
    this.destroy()
    this.#frontier = this.#damaged ? vectorOf(this.#wake()) : this.#committedVector().vector
    this.#isStored = true
    this.#rewinds += 1
  }

  /** The merged update is durable: it belongs to what clients may see. `isAll`: nothing else has been admitted since. */
  committed(merged: Uint8Array, broadcast: Broadcast, isAll: boolean): void {
    this.#isStored = isAll && this.#doc === null
    this.#record(merged, broadcast)
  }

  /**
   * Takes in an update that another node has made durable. 'missing': it builds on something we lack, and was left out.
   * Not while committing.
   */
  absorb(update: Uint8Array): 'known' | 'new' | 'missing' {
    const shape = this.#read(update)
    if (shape === null) return 'known'
    if (this.#isStored && bringsNothing(this.#frontier, shape) && this.#knowsDeletes(shape)) return 'known'
    if (!this.#damaged && advance(this.#frontier, shape) === 'missing') return 'missing'
    this.#admitted += 1
    if (shape.keyed === true) this.#keyed = true
    if (this.#doc !== null) this.#behind.push(update)
    this.#record(update, new Broadcast(syncUpdate(update)))
    if (this.#damaged) this.#frontier = vectorOf(this.#wake())
    return 'new'
  }

  /** What the log, read again, turned out to have: gaps, or entries that cannot be read. */
  inherit({ damaged, lossy }: Flaws): void {
    this.#damaged ||= damaged
    this.#lossy ||= lossy
  }

  /** Null: it is not an update. The log keeps it, and so no snapshot is made any more. */
  #read(update: Uint8Array): UpdateShape | null {
    try {
      return walkUpdate(update, OURS)
    } catch (error) {
      this.#lossy = true
      this.#onLoss(toError(error))
      return null
    }
  }

  #record(update: Uint8Array, broadcast: Broadcast): void {
    this.#version += 1
    this.#tail.push(update)
    this.#tailBytes += update.length
    if (this.#deletes !== null) mergeDeletes(this.#deletes, walkUpdate(update, OURS))
    this.#answers.grew(broadcast)
  }

  /**
   * Which of these updates Yjs cannot take, when what it threw did not tell: each in a transaction of its own, on a copy
   * of what the log holds. -1 when all of them go, one by one.
   */
  findCulprit(updates: readonly Uint8Array[]): number {
    const { doc } = rebuild([this.#snapshot.state, ...this.#tail])
    const wasPending = isPending(doc)
    const isPoison = (update: Uint8Array): boolean => !canApply(doc, update) || (!wasPending && isPending(doc))
    const culprit = updates.findIndex(isPoison)
    doc.destroy()
    return culprit
  }

  /** The part of an update that fits although other parts build on something unknown; null when none does. */
  fittingPart(update: Uint8Array): Uint8Array | null {
    const { doc: scratch } = rebuild([this.#snapshot.state, ...this.#tail])
    const parts: Uint8Array[] = []
    scratch.on('update', (emitted: Uint8Array) => {
      parts.push(emitted)
    })
    Y.applyUpdate(scratch, update)
    scratch.destroy()
    return parts.length === 0 ? null : Y.mergeUpdates(parts)
  }

  /** State vector of everything accepted: what a client need not send. */
  frontier(): Uint8Array {
    return encodeStateVector(this.#frontier)
  }

  /** State vector of everything committed: what a client that has received all frames knows. Not while committing. */
  committedVector(): Uint8Array {
    return this.#doc === null ? encodeStateVector(this.#committedVector().vector) : Y.encodeStateVector(this.#wake())
  }

  /**
   * What a client with this state vector lacks. Not while committing: the `Y.Doc` is ahead of the log then.
   *
   * @throws MalformedFrameError, LimitExceededError when the state vector is not one
   */
  answer(stateVector: Uint8Array): Answer {
    if (stateVector.length === 1 && stateVector[0] === 0) return this.#answers.whole()
    const most = this.#frontier.size + this.#limits.maxForeignStateVectorEntries
    return this.#answers.difference(stateVector, () => decodeStateVector(stateVector, most))
  }

  get stored(): Answering['stored'] {
    return { state: this.#snapshot.state, tail: this.#tail }
  }

  get prefersDoc(): Answering['prefersDoc'] {
    // What cannot be connected is not in a Y.Doc's structs, but its encoding carries it: clients may have the rest.
    // And a tail that outgrew its limit (its snapshot failed) would be more than a joiner's socket may have unread.
    if ((this.#damaged && this.#doc !== null) || this.#tailBytes > MAX_TAIL_BYTES) return 'always'
    return this.#doc === null ? 'never' : 'for differences'
  }

  /** One update with everything that a client which knows `stateVector` (default: nothing) lacks. Not while committing. */
  encode(stateVector?: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.#wake(), stateVector)
  }

  /** The whole committed state as one update. Not while committing. */
  whole(): Uint8Array {
    return this.#tail.length === 0 ? this.#snapshot.state : Y.encodeStateAsUpdate(this.#wake())
  }

  /**
   * Encodes the whole state anew, which from now on is what joiners receive. Null: it would leave out entries of the log
   * that cannot be read; which they are may only be known once the `Y.Doc` is made. Not while committing.
   */
  takeSnapshot(): Snapshot | null {
    const doc = this.#wake()
    if (this.#lossy) return null
    this.#snapshot = { state: Y.encodeStateAsUpdate(doc), stateVector: Y.encodeStateVector(doc) }
    this.#tail = []
    this.#tailBytes = 0
    this.#deletes = null
    this.#answers.forget()
    return this.#snapshot
  }

  destroy(): void {
    this.#doc?.destroy()
    this.#doc = null
    this.#behind = []
  }

  #knowsDeletes(shape: UpdateShape): boolean {
    if (shape.deletes.length === 0) return true
    if (this.#deletes === null) {
      const { state } = this.#snapshot
      const deletes = readDeleteSet(state, walkUpdate(state, OURS).deleteSetOffset)
      for (const update of this.#tail) mergeDeletes(deletes, walkUpdate(update, OURS))
      this.#deletes = deletes
    }
    return containsDeletes(this.#deletes, shape)
  }

  /** The `Y.Doc`, made if need be, with everything that has been accepted. */
  #wake(): Y.Doc {
    if (this.#doc !== null) return this.#catchUp(this.#doc)
    const { doc, failed } = rebuild([this.#snapshot.state, ...this.#tail])
    if (failed !== null) this.#lose(doc, failed)
    doc.on('update', (update: Uint8Array) => {
      this.#emitted.push(update)
    })
    this.#doc = doc
    this.#deletes = null
    return doc
  }

  /** Part of the log cannot be used: what was accepted is what the rest of it holds. */
  #lose(doc: Y.Doc, error: Error): void {
    this.#damaged = true
    this.#lossy = true
    this.#frontier = vectorOf(doc)
    this.#rewinds += 1
    this.#onLoss(error)
  }

  #hasKeys(): boolean {
    this.#keyed ??= [this.#snapshot.state, ...this.#tail].some((update) => walkUpdate(update, OURS).keyed === true)
    return this.#keyed
  }

  #catchUp(doc: Y.Doc): Y.Doc {
    const behind = this.#behind
    if (behind.length === 0) return doc
    this.#behind = []
    try {
      doc.transact(() => {
        for (const update of behind) Y.applyUpdate(doc, update)
      })
    } catch {
      // All of it is in the log by now, from which the next one is built, without what cannot be applied.
      this.destroy()
      return this.#wake()
    }
    this.#emitted = []
    return doc
  }

  #committedVector(): { vector: Map<number, number>; complete: boolean } {
    const vector = decodeStateVector(this.#snapshot.stateVector, Infinity)
    let complete = true
    for (const update of this.#tail) {
      if (advance(vector, walkUpdate(update, OURS)) === 'missing') complete = false
    }
    return { vector, complete }
  }
}

function vectorOf(doc: Y.Doc): Map<number, number> {
  return decodeStateVector(Y.encodeStateVector(doc), Infinity)
}
