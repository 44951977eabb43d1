import type { DocumentStore } from './documentStore.ts'
import type { Follower } from './follower.ts'

/** Readings under way at once: after a reconnection every document is read, and Redis serves others as well. */
const MAX_READINGS = 64

/** The followers that want their logs read, a bounded number of them at a time. */
export class Readings {
  readonly #store: DocumentStore
  readonly #onFailed: (follower: Follower) => void
  readonly #wanted = new Set<Follower>()
  #underWay = 0

  constructor(store: DocumentStore, onFailed: (follower: Follower) => void) {
    this.#store = store
    this.#onFailed = onFailed
  }

  want(follower: Follower): void {
    this.#wanted.add(follower)
    this.#next()
  }

  forget(follower: Follower): void {
    this.#wanted.delete(follower)
  }

  #next(): void {
    for (const follower of this.#wanted) {
      if (this.#underWay >= MAX_READINGS) return
      this.#wanted.delete(follower)
      this.#underWay += 1
      void this.#read(follower)
    }
  }

  async #read(follower: Follower): Promise<void> {
    const result = await follower.read((after) => this.#store.follow(follower.keys, after))
    this.#underWay -= 1
    if (result === 'failed') this.#onFailed(follower)
    this.#next()
  }
}
