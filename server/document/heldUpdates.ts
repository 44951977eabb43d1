import { LimitExceededError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import type { Submission } from './participant.ts'

interface Held {
  readonly submission: Submission
  readonly shape: UpdateShape
}

/**
 * A session's updates that build on something unknown. They are neither lost nor given to Yjs, where each would make
 * every later one dearer: they wait here, bounded, until what they need has come.
 */
export class HeldUpdates {
  readonly #limits: Limits
  #held: Held[] = []
  #bytes = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  get isEmpty(): boolean {
    return this.#held.length === 0
  }

  /** @throws LimitExceededError when the session has too many of them */
  add(submission: Submission, shape: UpdateShape): void {
    // A copy: the update is a view on a network buffer, and may wait for long.
    const update = submission.update === null ? null : new Uint8Array(submission.update)
    this.#bytes += update?.length ?? 0
    if (this.#held.length >= this.#limits.maxHeldUpdatesPerSession) {
      throw new LimitExceededError('maxHeldUpdatesPerSession', 'too many updates with missing predecessors')
    }
    if (this.#bytes > this.#limits.maxHeldBytesPerSession) {
      throw new LimitExceededError('maxHeldBytesPerSession', 'too many bytes of updates with missing predecessors')
    }
    this.#held.push({ submission: { ...submission, update }, shape })
  }

  /** Offers every held update to `submit` again and keeps those it refuses. */
  retry(submit: (submission: Submission, shape: UpdateShape) => boolean): void {
    const held = this.#held
    this.clear()
    for (const { submission, shape } of held) {
      if (submit(submission, shape)) continue
      this.#held.push({ submission, shape })
      this.#bytes += submission.update?.length ?? 0
    }
  }

  clear(): void {
    this.#held = []
    this.#bytes = 0
  }
}
