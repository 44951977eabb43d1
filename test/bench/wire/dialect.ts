import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

/** What one received message is, as far as a benchmark client must know. */
export type MessageKind = 'step1' | 'step2' | 'update' | 'awareness' | 'ack' | 'echo' | 'ping' | 'other'

interface Message {
  kind: MessageKind
  /** State vector, update or awareness update; empty for the others. */
  payload: Uint8Array
}

/** How a protocol family wraps sync and awareness messages. `document` names the room. */
export interface Dialect {
  readonly name: 'y-websocket' | 'hocuspocus'
  path(document: string): string
  /** What a client sends before its first SyncStep1. */
  greeting(document: string): readonly Uint8Array[]
  sync(document: string, step: 0 | 1 | 2, payload: Uint8Array): Uint8Array
  awareness(document: string, update: Uint8Array): Uint8Array
  /** Only the kind is certain to be cheap; `payload` is a view into `bytes`. */
  read(bytes: Uint8Array): Message
}

const NOTHING = new Uint8Array(0)
const SYNC_KINDS = ['step1', 'step2', 'update'] as const
/** Hocuspocus message types. */
const TYPE = { sync: 0, awareness: 1, auth: 2, syncStatus: 8 } as const
const PROVIDER_VERSION = '4.8.0'
/** y-sweet's SyncStatus: the server returns the same bytes once everything before them is saved. */
const PROBE = 102

function message(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

function readSync(decoder: decoding.Decoder): Message {
  const kind = SYNC_KINDS[decoding.readVarUint(decoder)] ?? 'other'
  return { kind, payload: kind === 'other' ? NOTHING : decoding.readVarUint8Array(decoder) }
}

/** y-websocket family: the path names the document, a frame is type + payload; 102 is the y-sweet probe. */
export const yWebsocketDialect: Dialect = {
  name: 'y-websocket',
  path: (document) => `/${document}`,
  greeting: () => [],
  sync: (_document, step, payload) =>
    message((encoder) => {
      encoding.writeVarUint(encoder, 0)
      encoding.writeVarUint(encoder, step)
      encoding.writeVarUint8Array(encoder, payload)
    }),
  awareness: (_document, update) =>
    message((encoder) => {
      encoding.writeVarUint(encoder, 1)
      encoding.writeVarUint8Array(encoder, update)
    }),
  read: (bytes) => {
    const decoder = decoding.createDecoder(bytes)
    const type = decoding.readVarUint(decoder)
    if (type === 0) return readSync(decoder)
    if (type === 1) return { kind: 'awareness', payload: decoding.readVarUint8Array(decoder) }
    return { kind: type === PROBE ? 'echo' : 'other', payload: NOTHING }
  },
}

/** Hocuspocus: every frame begins with the document's name; a single 09 is a ping. */
export const hocuspocusDialect: Dialect = {
  name: 'hocuspocus',
  path: () => '/',
  greeting: (document) => [
    message((encoder) => {
      encoding.writeVarString(encoder, document)
      encoding.writeVarUint(encoder, TYPE.auth)
      encoding.writeVarUint(encoder, 0)
      encoding.writeVarString(encoder, '')
      encoding.writeVarString(encoder, PROVIDER_VERSION)
    }),
  ],
  sync: (document, step, payload) =>
    message((encoder) => {
      encoding.writeVarString(encoder, document)
      encoding.writeVarUint(encoder, TYPE.sync)
      encoding.writeVarUint(encoder, step)
      encoding.writeVarUint8Array(encoder, payload)
    }),
  awareness: (document, update) =>
    message((encoder) => {
      encoding.writeVarString(encoder, document)
      encoding.writeVarUint(encoder, TYPE.awareness)
      encoding.writeVarUint8Array(encoder, update)
    }),
  read: (bytes) => {
    if (bytes.length === 1) return { kind: bytes[0] === 9 ? 'ping' : 'other', payload: NOTHING }
    const decoder = decoding.createDecoder(bytes)
    decoding.readVarUint8Array(decoder)
    const type = decoding.readVarUint(decoder)
    if (type === TYPE.sync) return readSync(decoder)
    if (type === TYPE.awareness) return { kind: 'awareness', payload: decoding.readVarUint8Array(decoder) }
    return { kind: type === TYPE.syncStatus ? 'ack' : 'other', payload: NOTHING }
  },
}

/** `66 buf(varUint version)`, on the y-websocket protocol. */
export function probe(version: number): Uint8Array {
  return message((encoder) => {
    encoding.writeVarUint(encoder, PROBE)
    encoding.writeVarUint8Array(
      encoder,
      message((inner) => {
        encoding.writeVarUint(inner, version)
      }),
    )
  })
}

/** An awareness update with one entry. `state` is JSON text; `null` (the text) means gone. */
export function awarenessUpdate(client: number, clock: number, state: string): Uint8Array {
  return message((encoder) => {
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, state)
  })
}

/** What every client says of itself when it connects: clock 0, an empty state, which every receiver drops. */
export function greeting(client: number): Uint8Array {
  return awarenessUpdate(client, 0, '{}')
}

const MOVE = /"move":(\d+)/

/**
 * Who moved, and to which move: the number `move` inside the state, since a server may raise the clock (it does so for
 * somebody who returns). Entries without one are left out.
 */
export function awarenessMoves(update: Uint8Array): readonly { readonly client: number; readonly move: number }[] {
  const decoder = decoding.createDecoder(update)
  const count = decoding.readVarUint(decoder)
  const entries = Array.from({ length: count }, () => {
    const client = decoding.readVarUint(decoder)
    decoding.readVarUint(decoder)
    const move = MOVE.exec(decoding.readVarString(decoder))?.[1]
    return { client, move: Number(move ?? Number.NaN) }
  })
  return entries.filter(({ move }) => !Number.isNaN(move))
}
