import * as encoding from 'lib0/encoding'
import type { Dialect } from '../wire/dialect.ts'
import { clientFrame } from '../wire/frames.ts'
import { clientId, typedUpdates } from './typists.ts'

/** Info byte of a struct that holds a string and names what it stands behind. */
const STRING_BEHIND = 0x84
const LETTERS = 26
const LETTER_A = 97

/** One character behind the person's own last one, as `typedUpdates` has it, but made without Yjs: millions are needed. */
function writeTyped(encoder: encoding.Encoder, client: number, k: number): void {
  encoding.writeVarUint(encoder, 1)
  encoding.writeVarUint(encoder, 1)
  encoding.writeVarUint(encoder, client)
  encoding.writeVarUint(encoder, k)
  encoding.writeUint8(encoder, STRING_BEHIND)
  encoding.writeVarUint(encoder, client)
  encoding.writeVarUint(encoder, k - 1)
  encoding.writeVarString(encoder, String.fromCodePoint(LETTER_A + (k % LETTERS)))
  encoding.writeVarUint(encoder, 0)
}

/** One update: edit number `k` of a person. Edit 0 names the text, and is Yjs' own. */
export function typedUpdate(person: number, k: number): Uint8Array {
  if (k === 0) return typedUpdates(person, 1)[0] ?? new Uint8Array(0)
  return encoding.encode((encoder) => {
    writeTyped(encoder, clientId(person), k)
  })
}

/** A person's edits, one message each, `perChunk` of them joined to a buffer that is written at once. */
export function typedChunks(
  person: number,
  { chunks, perChunk, dialect, document }: { chunks: number; perChunk: number; dialect: Dialect; document: string },
): Buffer[] {
  return Array.from({ length: chunks }, (_, chunk) => {
    const frames = Array.from({ length: perChunk }, (_, index) =>
      clientFrame(dialect.sync(document, 2, typedUpdate(person, chunk * perChunk + index))),
    )
    return Buffer.concat(frames)
  })
}
