import type { Cursor, Engine, Entry, Message, Sink, Subscription } from '../../server/engine/engine.ts'

/** Follows a document and keeps what it is told. */
export class EngineListener implements Sink {
  readonly entries: Entry[] = []
  readonly messages: Message[] = []
  readonly gone: string[] = []
  stales = 0
  readonly #subscription: Subscription

  constructor(engine: Engine, document: string, after: Cursor | null = null) {
    this.#subscription = engine.subscribe(document, after, this)
  }

  get position(): Cursor | null {
    return this.#subscription.position
  }

  /** First byte of each entry. */
  get values(): (number | undefined)[] {
    return this.entries.map(({ update }) => update[0])
  }

  entry(entry: Entry): void {
    this.entries.push(entry)
  }

  message(message: Message): void {
    this.messages.push({ ...message, bytes: Uint8Array.from(message.bytes) })
  }

  stale(): void {
    this.stales += 1
  }

  left(node: string): void {
    this.gone.push(node)
  }

  end(): void {
    this.#subscription.end()
  }
}
