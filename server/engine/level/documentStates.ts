import type { Address, Extent } from './documentReader.ts'

/** What is known of a document without reading it. Valid for one database handle only. */
export interface DocumentState extends Address {
  base: number
  previous: number
  /** Sequence of the last entry handed to the database, written or not yet. */
  head: number
  /** False while the document does not exist. */
  known: boolean
  /** The same four as the meta record has them once the batch being built is written; the others run ahead of it. */
  readonly stored: StoredExtent
  /** The batch being built changed the document and does not have its meta record yet. */
  metaDue: boolean
  /** Writes handed over and not yet durable. The state must not be forgotten: the stored head is older. */
  pending: number
  /** Used since eviction last looked. */
  recent: boolean
}

interface StoredExtent {
  base: number
  previous: number
  head: number
  known: boolean
}

export function newState(address: Address, extent: Extent): DocumentState {
  const { base, previous, head, known } = extent
  const { name, id } = address
  const stored = { base, previous, head, known }
  return { name, id, base, previous, head, known, stored, metaDue: false, pending: 0, recent: true }
}

/** Documents whose state is kept, about 400 bytes each; beyond that the oldest idle one is read again when needed. */
const MAX_DOCUMENT_STATES = 100_000

/** A bounded cache; each miss is read once, however many ask at the same time. */
export class DocumentStates {
  readonly #states = new Map<string, DocumentState>()
  readonly #reading = new Map<string, Promise<DocumentState>>()
  readonly #read: (name: string) => Promise<DocumentState>
  readonly #limit: number

  constructor(read: (name: string) => Promise<DocumentState>, limit: number = MAX_DOCUMENT_STATES) {
    this.#read = read
    this.#limit = limit
  }

  get size(): number {
    return this.#states.size
  }

  cached(name: string): DocumentState | undefined {
    const state = this.#states.get(name)
    if (state !== undefined) state.recent = true
    return state
  }

  /** All who wait for one read get the same promise, so that they go on in the order in which they came. */
  get(name: string): Promise<DocumentState> {
    const cached = this.cached(name)
    if (cached !== undefined) return Promise.resolve(cached)
    const reading = this.#reading.get(name) ?? this.#fetch(name)
    this.#reading.set(name, reading)
    return reading
  }

  async #fetch(name: string): Promise<DocumentState> {
    try {
      const state = await this.#read(name)
      this.#states.set(name, state)
      this.#evict()
      return state
    } finally {
      this.#reading.delete(name)
    }
  }

  /** Second chance: what was used since the last look goes to the end of the line once. */
  #evict(): void {
    let looked = 0
    for (const [name, state] of this.#states) {
      if (this.#states.size <= this.#limit || looked > this.#limit) return
      looked += 1
      this.#states.delete(name)
      if (state.pending === 0 && !state.recent) continue
      state.recent = false
      this.#states.set(name, state)
    }
  }
}
