import { ScriptoriumError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import { checkJson } from '../../shared/update/jsonText.ts'
import { utf16Length } from '../../shared/update/utf8.ts'
import { Reader } from '../../shared/wire/reader.ts'

const OPEN_OBJECT = 0x7b

/** `null`: the client is gone. */
export function isGone(json: Uint8Array): boolean {
  return json.length === 4 && json[0] === 0x6e && json[1] === 0x75 && json[2] === 0x6c && json[3] === 0x6c
}

/**
 * Whether this may be shown to others as somebody's presence: a JSON object in UTF-8, within the limits on bytes and
 * depth. Anything else throws, or overflows the stack, in the clients that receive it.
 */
export function isPresentable(json: Uint8Array, limits: Limits): boolean {
  if (json.length > limits.maxPresenceBytes || json[0] !== OPEN_OBJECT) return false
  if (utf16Length(json, 0, json.length) < 0) return false
  try {
    checkJson(new Reader(json), limits.maxPresenceDepth)
    return true
  } catch (error) {
    if (error instanceof ScriptoriumError) return false
    throw error
  }
}

/** A copy: the bytes are a view on a frame, which may be large, and this is kept. */
export function textOf(json: Uint8Array): string {
  return Buffer.from(json.buffer, json.byteOffset, json.length).toString()
}
