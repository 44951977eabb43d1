import { Document } from './document.ts'
import type { DocumentOptions } from './document.ts'

/** The documents somebody is using, or is about to use. A `Map`, so that `__proto__` is a name like any other. */
export class Registry {
  readonly #options: DocumentOptions
  readonly #documents = new Map<string, Document>()

  constructor(options: DocumentOptions) {
    this.#options = options
  }

  /** Documents loaded or being loaded. */
  get size(): number {
    return this.#documents.size
  }

  names(): string[] {
    return [...this.#documents.keys()]
  }

  get(name: string): Document | undefined {
    return this.#documents.get(name)
  }

  /** The document of this name; loading begins if it is not there yet. The name has been checked. */
  open(name: string): Document {
    let document = this.#documents.get(name)
    if (document === undefined) {
      document = new Document(name, this.#options, (gone) => this.#forget(gone))
      this.#documents.set(name, document)
    }
    return document
  }

  sweep(now: number): void {
    for (const document of this.#documents.values()) document.sweep(now)
  }

  /** Resolves when every document's accepted edits are durable. */
  async settle(): Promise<void> {
    await Promise.all(Array.from(this.#documents.values(), (document) => document.settle()))
  }

  /** Drops all documents at once; see `Document.destroy`. */
  destroy(): void {
    for (const document of this.#documents.values()) document.destroy()
  }

  #forget(document: Document): void {
    if (this.#documents.get(document.name) === document) this.#documents.delete(document.name)
  }
}
