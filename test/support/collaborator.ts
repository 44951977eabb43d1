import * as decoding from 'lib0/decoding'
import * as Y from 'yjs'
import type { Protocol } from '../../server/observer.ts'
import { RawClient } from './rawClient.ts'
import { concat, hex, message, states, varUint, wires } from './rawMessages.ts'
import type { RawState, Wire } from './rawMessages.ts'

export interface CollaboratorOptions {
  readonly protocol?: Protocol
  /** Address for Hocuspocus; default: the document's name. */
  readonly address?: string
  /** Whether to ask for the document's state at once; default true. */
  readonly joins?: boolean
}

export type Heard =
  | { readonly type: 'step1'; readonly stateVector: Uint8Array }
  | { readonly type: 'step2' | 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly entries: readonly RawState[] }
  | { readonly type: 'auth'; readonly subtype: number; readonly text: string }
  | { readonly type: 'status'; readonly saved: number }
  | { readonly type: 'probe'; readonly payload: Uint8Array }
  | { readonly type: 'other'; readonly number: number }

function decodeStates(bytes: Uint8Array): RawState[] {
  const decoder = decoding.createDecoder(bytes)
  const count = decoding.readVarUint(decoder)
  return Array.from({ length: count }, () => ({
    client: decoding.readVarUint(decoder),
    clock: decoding.readVarUint(decoder),
    json: decoding.readVarString(decoder),
  }))
}

function decodeSync(decoder: decoding.Decoder): Heard {
  const subtype = decoding.readVarUint(decoder)
  const bytes = decoding.readVarUint8Array(decoder)
  if (subtype === 0) return { type: 'step1', stateVector: bytes }
  return { type: subtype === 1 ? 'step2' : 'update', update: bytes }
}

function decodeBody(decoder: decoding.Decoder): Heard {
  const number = decoding.readVarUint(decoder)
  switch (number) {
    case 0:
      return decodeSync(decoder)
    case 1:
      return { type: 'awareness', entries: decodeStates(decoding.readVarUint8Array(decoder)) }
    case 2:
      return { type: 'auth', subtype: decoding.readVarUint(decoder), text: decoding.readVarString(decoder) }
    case 8:
      return { type: 'status', saved: decoding.readVarUint(decoder) }
    case 102:
      return { type: 'probe', payload: decoding.readVarUint8Array(decoder) }
    default:
      return { type: 'other', number }
  }
}

/**
 * One client on one document, speaking either protocol over a raw socket: as honest as the tests around it let it be.
 * It keeps a real `Y.Doc`, answers SyncStep1, and remembers everything it heard.
 */
export class Collaborator {
  readonly raw: RawClient
  readonly wire: Wire
  readonly address: string
  readonly doc = new Y.Doc()
  readonly heard: Heard[] = []
  /** Addresses of received Hocuspocus frames. */
  readonly addresses = new Set<string>()
  /** Newest presence per client id; removed by `null`. */
  readonly presence = new Map<number, RawState>()
  /** Whether local edits go out as they are made. */
  isSending = true
  /** Whether SyncStep1 of the server is answered. */
  answers = true
  #synced = false

  private constructor(raw: RawClient, wire: Wire, address: string) {
    this.raw = raw
    this.wire = wire
    this.address = address
    raw.onMessage = (frame) => this.#receive(frame)
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== this && this.isSending) this.say(message.update(update))
    })
  }

  static async open(port: number, document: string, options: CollaboratorOptions = {}): Promise<Collaborator> {
    const wire = wires[options.protocol ?? 'y-websocket']
    const raw = await RawClient.open(port, wire.path(document))
    const one = new Collaborator(raw, wire, options.address ?? document)
    if (wire.protocol === 'hocuspocus') one.say(message.auth('t'))
    if (options.joins === false) return one
    one.join()
    await raw.until(() => one.#synced, `${wire.protocol} is synced`)
    return one
  }

  join(stateVector: Uint8Array = Y.encodeStateVector(this.doc)): void {
    this.say(message.step1(stateVector))
  }

  say(body: Uint8Array): void {
    this.raw.send(this.wire.frame(this.address, body))
  }

  get text(): string {
    return this.doc.getText('text').toString()
  }

  type(text: string): void {
    this.doc.getText('text').insert(0, text)
  }

  /** Speaks about a client id: its own, unless told otherwise. */
  announce(json: string, clock: number, client: number = this.doc.clientID): void {
    this.say(message.awareness(states([{ client, clock, json }])))
  }

  count(type: Heard['type']): number {
    return this.heard.filter((heard) => heard.type === type).length
  }

  /** SyncStatus frames that say "saved". */
  get saved(): number {
    return this.heard.filter((heard) => heard.type === 'status' && heard.saved === 1).length
  }

  /** Whether any update or SyncStep2 received holds structs of this client. */
  hasHeardOf(client: number): boolean {
    return Y.decodeStateVector(Y.encodeStateVector(this.doc)).has(client)
  }

  /** Drops what was received and is kept for tests: when it would be more than the server itself may keep. */
  forget(): void {
    this.heard.length = 0
    this.raw.messages.length = 0
  }

  until(check: () => boolean, what: string): Promise<void> {
    return this.raw.until(check, what)
  }

  closed(): ReturnType<RawClient['closed']> {
    return this.raw.closed()
  }

  destroy(): void {
    this.raw.destroy()
    this.doc.destroy()
  }

  #receive(frame: Uint8Array): void {
    const decoder = decoding.createDecoder(frame)
    if (this.wire.protocol === 'hocuspocus') {
      const address = decoding.readVarString(decoder)
      this.addresses.add(address)
      if (address !== this.address) return
    }
    const heard = decodeBody(decoder)
    this.heard.push(heard)
    if (heard.type === 'step1' && this.answers) {
      this.say(message.step2(Y.encodeStateAsUpdate(this.doc, heard.stateVector)))
    } else if (heard.type === 'step2' || heard.type === 'update') {
      Y.applyUpdate(this.doc, heard.update, this)
      this.#synced ||= heard.type === 'step2'
    } else if (heard.type === 'awareness') this.#notePresence(heard.entries)
  }

  #notePresence(entries: readonly RawState[]): void {
    for (const entry of entries) {
      const known = this.presence.get(entry.client)
      if (entry.json === 'null') this.presence.delete(entry.client)
      else if (known === undefined || entry.clock > known.clock) this.presence.set(entry.client, entry)
    }
  }
}

/** An update of `client` that inserts `text` at the start of a document which holds nothing. */
export function firstUpdate(client: number, text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = client
  doc.getText('text').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** Single-character updates of one client, each building on the one before. */
export function chainOfUpdates(client: number, text: string): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = client
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  for (const character of text) doc.getText('text').insert(doc.getText('text').length, character)
  return updates
}

/** `count` collected structs of one clock each: two bytes here, 64 and more in Yjs. */
export function collected(client: number, count: number): Uint8Array {
  const structs = new Uint8Array(count * 2)
  for (let index = 1; index < structs.length; index += 2) structs[index] = 1
  return concat(hex('01'), varUint(count), varUint(client), hex('00'), structs, hex('00'))
}
