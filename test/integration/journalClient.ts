import * as decoding from 'lib0/decoding'
import * as Y from 'yjs'
import type { Protocol } from '../../server/observer.ts'
import { MessageType } from '../../shared/wire/messages.ts'
import { RawClient } from '../support/rawClient.ts'
import { hex, message, varUint, wires } from '../support/rawMessages.ts'

/** What the server has to answer for: one entry of the journal is one string in the shared array `journal`. */
interface Journal {
  /** Tokens whose author was told that they are saved. */
  readonly acknowledged: Set<string>
  /** Tokens that were in a frame the server sent to anybody. */
  readonly seen: Set<string>
}

export function journalOf(doc: Y.Doc): string[] {
  return doc.getArray<string>('journal').toArray()
}

interface ItemLike {
  readonly content?: { readonly arr?: readonly unknown[] }
}

interface JournalAuthor {
  readonly name: string
  readonly protocol: Protocol
  readonly document: string
}

/** All tokens an update carries. */
function tokensIn(update: Uint8Array): string[] {
  const { structs } = Y.decodeUpdate(update) as { structs: readonly ItemLike[] }
  return structs.flatMap((struct) => (struct.content?.arr ?? []).filter((value) => typeof value === 'string'))
}

/**
 * A client that writes tokens and notes, frame by frame, what the server promised: its own acknowledgements
 * (SyncStatus, or the echo of a y-sweet probe) and everything the server showed it.
 */
export class JournalClient implements Journal {
  readonly acknowledged = new Set<string>()
  readonly seen = new Set<string>()
  readonly doc = new Y.Doc()
  synced = false
  readonly #name: string
  readonly #protocol: Protocol
  readonly #raw: RawClient
  readonly #document: string
  /** What the next SyncStatus is about; null = our SyncStep2. Hocuspocus only. */
  readonly #awaiting: (string | null)[] = []
  readonly #written: string[] = []

  private constructor(name: string, protocol: Protocol, document: string, raw: RawClient) {
    this.#name = name
    this.#protocol = protocol
    this.#document = document
    this.#raw = raw
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.#send(message.update(update))
    })
    raw.onMessage = (frame) => this.#receive(frame)
  }

  static async open(name: string, protocol: Protocol, port: number, document: string): Promise<JournalClient> {
    return JournalClient.over(await RawClient.open(port, wires[protocol].path(document)), { name, protocol, document })
  }

  /** The same over a socket that somebody else has opened. */
  static async over(raw: RawClient, { name, protocol, document }: JournalAuthor): Promise<JournalClient> {
    const client = new JournalClient(name, protocol, document, raw)
    client.#send(message.step1(hex('00')))
    await raw.until(() => client.synced, `${name} is synced`)
    return client
  }

  /** Appends one token and asks for its acknowledgement. */
  write(): void {
    if (this.#raw.isGone) return
    const token = `${this.#name}:${String(this.#written.length)}`
    this.#written.push(token)
    this.#awaiting.push(token)
    this.doc.getArray<string>('journal').push([token])
    if (this.#protocol === 'y-websocket') this.#send(message.probe(varUint(this.#written.length)))
  }

  get written(): readonly string[] {
    return this.#written
  }

  get closeCode(): number | null {
    return this.#raw.closeFrame?.code ?? null
  }

  get isGone(): boolean {
    return this.#raw.isGone
  }

  destroy(): void {
    this.#raw.destroy()
    this.doc.destroy()
  }

  #send(body: Uint8Array): void {
    this.#raw.send(wires[this.#protocol].frame(this.#document, body))
  }

  #receive(frame: Uint8Array): void {
    const decoder = decoding.createDecoder(frame)
    if (this.#protocol === 'hocuspocus') decoding.readVarString(decoder)
    switch (decoding.readVarUint(decoder)) {
      case MessageType.sync:
        return this.#receiveSync(decoding.readVarUint(decoder), decoding.readVarUint8Array(decoder))
      case MessageType.syncStatus:
        return this.#acknowledge(this.#awaiting.shift() ?? null)
      case MessageType.probe: {
        const covered = decoding.readVarUint(decoding.createDecoder(decoding.readVarUint8Array(decoder)))
        for (const token of this.#written.slice(0, covered)) this.#acknowledge(token)
        return
      }
      default:
    }
  }

  #receiveSync(type: number, payload: Uint8Array): void {
    if (type === 0) {
      if (this.#protocol === 'hocuspocus') this.#awaiting.push(null)
      return this.#send(message.step2(Y.encodeStateAsUpdate(this.doc, payload)))
    }
    for (const token of tokensIn(payload)) this.seen.add(token)
    Y.applyUpdate(this.doc, payload, this)
    if (type === 1) this.synced = true
  }

  #acknowledge(token: string | null): void {
    if (token !== null) this.acknowledged.add(token)
  }
}
