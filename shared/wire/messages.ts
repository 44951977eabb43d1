import { encodeUtf8 } from 'lib0/string'
import { MalformedFrameError, ProtocolViolationError } from '../errors.ts'
import type { Reader } from './reader.ts'
import { encodeBuffer, encodeVarUint } from './writer.ts'

/**
 * The message numbers both protocol families share; a Hocuspocus frame is an address followed by such a message, a
 * y-websocket frame is the message alone. 4 to 10 exist in Hocuspocus only, 102 in y-sweet clients and ours,
 * 113 and 114 between this server and its own client.
 */
export const MessageType = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  syncReply: 4,
  stateless: 5,
  broadcastStateless: 6,
  close: 7,
  syncStatus: 8,
  probe: 102,
  confirmation: 113,
  countedUpdate: 114,
} as const

const SyncType = { step1: 0, step2: 1, update: 2 } as const

/** What a client said, decoded; byte payloads are views on its frame. */
export type ClientMessage =
  | { readonly type: 'syncStep1'; readonly stateVector: Uint8Array }
  | { readonly type: 'syncStep2'; readonly update: Uint8Array }
  /** `isCounted`: its client counts these, and is told how many are saved. */
  | { readonly type: 'update'; readonly update: Uint8Array; readonly isCounted: boolean }
  | { readonly type: 'awareness'; readonly states: Uint8Array }
  | { readonly type: 'queryAwareness' }
  /** "Return these bytes once all I sent before is saved." */
  | { readonly type: 'probe'; readonly payload: Uint8Array }
  | { readonly type: 'auth' }
  /** Hocuspocus: this document is closed, the socket stays. */
  | { readonly type: 'close' }
  /** Of a type this server does not know, or has no use for. */
  | { readonly type: 'ignored'; readonly messageType: number }

/**
 * Reads one message, up to its own end.
 *
 * @throws MalformedFrameError when it cannot be decoded
 * @throws ProtocolViolationError when only a server may send it
 */
export function readMessage(reader: Reader): ClientMessage {
  const type = reader.varUint()
  switch (type) {
    case MessageType.sync:
      return readSync(reader)
    case MessageType.awareness:
      return { type: 'awareness', states: reader.buffer() }
    case MessageType.auth:
      return readAuth(reader)
    case MessageType.queryAwareness:
      return { type: 'queryAwareness' }
    case MessageType.close:
      return { type: 'close' }
    case MessageType.countedUpdate:
      return { type: 'update', update: reader.buffer(), isCounted: true }
    case MessageType.probe:
      return { type: 'probe', payload: reader.buffer() }
    case MessageType.syncReply:
    case MessageType.broadcastStateless:
    case MessageType.syncStatus:
    case MessageType.confirmation:
      throw new ProtocolViolationError(`message type ${type} comes from servers only`)
    default:
      return { type: 'ignored', messageType: type }
  }
}

function readSync(reader: Reader): ClientMessage {
  const type = reader.varUint()
  switch (type) {
    case SyncType.step1:
      return { type: 'syncStep1', stateVector: reader.buffer() }
    case SyncType.step2:
      return { type: 'syncStep2', update: reader.buffer() }
    case SyncType.update:
      return { type: 'update', update: reader.buffer(), isCounted: false }
    default:
      throw new MalformedFrameError(`unknown sync message ${type}`)
  }
}

/** `00 str(token) [str(provider version)]`; 1 and 2 are the server's answers. */
function readAuth(reader: Reader): ClientMessage {
  const type = reader.varUint()
  if (type !== 0) throw new ProtocolViolationError('only a server may grant or deny access')
  reader.string()
  return { type: 'auth' }
}

export function syncStep1(stateVector: Uint8Array): Uint8Array {
  return encodeBuffer([MessageType.sync, SyncType.step1], stateVector)
}

export function syncStep2(update: Uint8Array): Uint8Array {
  return encodeBuffer([MessageType.sync, SyncType.step2], update)
}

export function syncUpdate(update: Uint8Array): Uint8Array {
  return encodeBuffer([MessageType.sync, SyncType.update], update)
}

export function awareness(states: Uint8Array): Uint8Array {
  return encodeBuffer([MessageType.awareness], states)
}

/** y-sweet's message 102: the client's own bytes, returned. */
export function probeAnswer(payload: Uint8Array): Uint8Array {
  return encodeBuffer([MessageType.probe], payload)
}

/** `72 buf(update)`: an Update whose client counts it. */
export function countedUpdate(update: Uint8Array): Uint8Array {
  return encodeBuffer([MessageType.countedUpdate], update)
}

/** `71 buf(varUint count)`: so many more of this session's counted updates are durable, in their order, and all before them. */
export function confirmation(count: number): Uint8Array {
  return encodeBuffer([MessageType.confirmation], encodeVarUint(count))
}

/** Access denied. y-websocket clients print it, Hocuspocus providers emit `authenticationFailed`. */
export function permissionDenied(reason: string): Uint8Array {
  return encodeBuffer([MessageType.auth, 1], encodeUtf8(reason))
}

/** y-websocket's form of the same: subtype 0. */
export function permissionDeniedYWebsocket(reason: string): Uint8Array {
  return encodeBuffer([MessageType.auth, 0], encodeUtf8(reason))
}

/** Hocuspocus: the token was accepted. */
export function authenticated(scope: 'read-write' | 'readonly'): Uint8Array {
  return encodeBuffer([MessageType.auth, 2], encodeUtf8(scope))
}

/** Hocuspocus SyncStatus: one SyncStep2 or Update of yours is saved (1). Nothing here ever sends 0: "refused". */
export const SAVED = new Uint8Array([MessageType.syncStatus, 1])

/** An awareness update about nobody: all clients take it as a sign of life and do nothing else. */
export const KEEP_ALIVE = new Uint8Array([MessageType.awareness, 1, 0])

/** A Yjs V1 update that says nothing: no structs, no deletes. */
export const EMPTY_UPDATE = new Uint8Array([0, 0])

/** A state vector that knows nobody. */
export const EMPTY_STATE_VECTOR = new Uint8Array([0])
