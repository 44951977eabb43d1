import type { Encoder } from 'lib0/encoding'
import {
  createEncoder,
  toUint8Array,
  writeUint8Array,
  writeVarString,
  writeVarUint,
  writeVarUint8Array,
} from 'lib0/encoding'
import type { Awareness } from 'y-protocols/awareness'
import { encodeAwarenessUpdate, modifyAwarenessUpdate } from 'y-protocols/awareness'

/** The message numbers of y-websocket, under its names. */
export const messageSync = 0
export const messageAwareness = 1
export const messageAuth = 2
export const messageQueryAwareness = 3
/** Hocuspocus: this document is left, the socket stays. */
export const messageClose = 7
/** Hocuspocus: one upload was taken (1) or refused (0). */
export const messageSyncStatus = 8
/** y-sweet and ours: returned unchanged once all before it is saved. */
export const messageProbe = 102

/** Ours: so many more of the session's counted updates are saved, in their order. */
export const messageConfirmation = 113
/** Ours: an update that is counted. */
const messageCountedUpdate = 114

/** Bytes that `write` writes after these numbers. */
function encode(head: readonly number[], write?: (encoder: Encoder) => void): Uint8Array {
  const encoder = createEncoder()
  for (const value of head) writeVarUint(encoder, value)
  write?.(encoder)
  return toUint8Array(encoder)
}

const withBytes = (head: readonly number[], bytes: Uint8Array): Uint8Array =>
  encode(head, (encoder) => writeVarUint8Array(encoder, bytes))

export const syncStep1 = (vector: Uint8Array): Uint8Array => withBytes([messageSync, 0], vector)
export const syncStep2 = (update: Uint8Array): Uint8Array => withBytes([messageSync, 1], update)
export const syncUpdate = (update: Uint8Array): Uint8Array => withBytes([messageSync, 2], update)
export const countedUpdate = (update: Uint8Array): Uint8Array => withBytes([messageCountedUpdate], update)

/** States of these clients, or that they are gone when `isGone`, at the clock they have: receivers take both. */
export function presence(awareness: Awareness, clients: number[], isGone = false): Uint8Array {
  const states = isGone ? new Map() : awareness.states
  return withBytes([messageAwareness], encodeAwarenessUpdate(awareness, clients, states))
}

/** Whether it can be read; if so, whatever was thrown at it was thrown by an observer of the application. */
export function isPresence(states: Uint8Array): boolean {
  try {
    modifyAwarenessUpdate(states, () => null)
    return true
  } catch {
    return false
  }
}

export const queryPresence = new Uint8Array([messageQueryAwareness])

/** The number of an edit, which comes back when that is saved. */
export const probe = (version: number): Uint8Array => withBytes([messageProbe], encode([version]))

/** `02 00 str(token)`. */
export const auth = (token: string): Uint8Array => encode([messageAuth, 0], (encoder) => writeVarString(encoder, token))

/** Several messages in one frame. */
export const join = (messages: readonly Uint8Array[]): Uint8Array =>
  encode([], (encoder) => {
    for (const message of messages) writeUint8Array(encoder, message)
  })

/** What stands before every message on a shared socket. */
export const address = (text: string): Uint8Array => encode([], (encoder) => writeVarString(encoder, text))
