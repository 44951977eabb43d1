import '../deviceCopy.ts' // which providers load on demand, in real time
import type { DocumentStore, StoredDocument } from '../environment.ts'

interface Entry {
  readonly update: Uint8Array
  /** Addresses of the servers that have it. */
  readonly savedOn: Set<string>
}

/** What one device keeps of its documents, in memory: it survives pages, which come and go. */
export class FakeStores {
  readonly #kept = new Map<string, Entry[]>()
  #failure: Error | null = null
  #open = 0

  /** Stores that were opened and not closed: 0 when everything was cleaned up. */
  get openStores(): number {
    return this.#open
  }

  /** Every call rejects with `error` from now on, as when the disk is full; null: they work again. */
  fail(error: Error | null): void {
    this.#failure = error
  }

  /** To be given to a provider as `openStore`, or as the option `persistence`. */
  readonly open = (name: string, server: string): DocumentStore => {
    this.#open += 1
    const kept = (): Entry[] => {
      const known = this.#kept.get(name) ?? []
      this.#kept.set(name, known)
      return known
    }
    /** What this tab has loaded or appended: of other tabs' entries it cannot know whether they are saved. */
    const mine = new Set<Entry>()
    const markSaved = (): void => mine.forEach((entry) => entry.savedOn.add(server))
    return {
      load: () =>
        this.#attempt((): StoredDocument => {
          for (const entry of kept()) mine.add(entry)
          const unsaved = kept().filter((entry) => !entry.savedOn.has(server)).length
          return { updates: kept().map((entry) => entry.update), unsaved }
        }),
      append: (update, isSaved) =>
        this.#attempt(() => {
          const entry = { update: update.slice(), savedOn: new Set<string>() }
          kept().push(entry)
          mine.add(entry)
          if (isSaved) markSaved()
        }),
      markSaved: () => this.#attempt(markSaved),
      clear: () => this.#attempt(() => void this.#kept.delete(name)),
      close: () => this.#attempt(() => void (this.#open -= 1)),
    }
  }

  /** Done at once, reported later: as a transaction that is in order and takes its time. */
  async #attempt<T>(work: () => T): Promise<T> {
    if (this.#failure !== null) throw this.#failure
    return work()
  }
}
