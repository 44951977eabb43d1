import * as encoding from 'lib0/encoding'
import type { Protocol } from '../../server/observer.ts'

/** Bytes written down as `01 ff 07`. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

export function varUint(value: number): Uint8Array {
  return encoding.encode((encoder) => encoding.writeVarUint(encoder, value))
}

/** varUint length, then the bytes. */
function buffer(bytes: Uint8Array): Uint8Array {
  return concat(varUint(bytes.length), bytes)
}

export function string(text: string): Uint8Array {
  return buffer(new TextEncoder().encode(text))
}

export const message = {
  step1: (stateVector: Uint8Array): Uint8Array => concat(hex('00 00'), buffer(stateVector)),
  step2: (update: Uint8Array): Uint8Array => concat(hex('00 01'), buffer(update)),
  update: (update: Uint8Array): Uint8Array => concat(hex('00 02'), buffer(update)),
  awareness: (states: Uint8Array): Uint8Array => concat(hex('01'), buffer(states)),
  auth: (token: string): Uint8Array => concat(hex('02 00'), string(token)),
  queryAwareness: hex('03'),
  probe: (payload: Uint8Array): Uint8Array => concat(varUint(102), buffer(payload)),
}

export interface RawState {
  readonly client: number
  readonly clock: number
  /** As it stands on the wire: JSON or not. */
  readonly json: string
}

export function states(entries: readonly RawState[]): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length)
    for (const { client, clock, json } of entries) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, clock)
      encoding.writeVarString(encoder, json)
    }
  })
}

export interface Wire {
  readonly protocol: Protocol
  /** Where a client of `document` connects to. */
  path(document: string): string
  /** The frame that carries `body` for `document` (for Hocuspocus: any address). */
  frame(document: string, body: Uint8Array): Uint8Array
}

export const wires: Readonly<Record<Protocol, Wire>> = {
  'y-websocket': {
    protocol: 'y-websocket',
    path: (document) => `/${encodeURIComponent(document)}`,
    frame: (_document, body) => body,
  },
  hocuspocus: {
    protocol: 'hocuspocus',
    path: () => '/',
    frame: (document, body) => concat(string(document), body),
  },
}

export const protocols: readonly Protocol[] = ['y-websocket', 'hocuspocus']
