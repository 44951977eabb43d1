import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { updateRanges } from '../measure/decode.ts'
import { yWebsocketDialect } from '../wire/dialect.ts'
import { FrameParser } from '../wire/frames.ts'
import { typedChunks, typedUpdate } from './typedFrames.ts'
import { clientId, TEXT, typedUpdates } from './typists.ts'

/** Byte of the one character, behind which only the delete set stands. */
const CHARACTER = -2

test('bench: updates made without Yjs are what Yjs would have made, but for the letter', () => {
  for (const [k, real] of typedUpdates(7, 400).entries()) {
    const made = typedUpdate(7, k)
    made[made.length + CHARACTER] = real.at(CHARACTER) ?? 0
    expect(Buffer.from(made).equals(real), `edit ${k}`).toBe(true)
  }
})

/** The payloads of masked client frames. */
function payloadsOf(chunk: Buffer): Buffer[] {
  const payloads: Buffer[] = []
  const unmasked = Buffer.alloc(chunk.length)
  let [at, length] = [0, 0]
  while (at < chunk.length) {
    const size = (chunk[at + 1] ?? 0) & 0x7f
    const mask = chunk.subarray(at + 2, at + 6)
    unmasked.set([chunk[at] ?? 0, size], length)
    for (let i = 0; i < size; i++) unmasked[length + 2 + i] = (chunk[at + 6 + i] ?? 0) ^ (mask[i & 3] ?? 0)
    at += size + 6
    length += size + 2
  }
  const parser = new FrameParser((_first, source, start, end) => {
    payloads.push(Buffer.from(source.subarray(start, end)))
  })
  parser.push(unmasked, 0, length)
  return payloads
}

test('bench: chunks hold every edit once, in order', () => {
  const chunks = typedChunks(3, { chunks: 3, perChunk: 50, dialect: yWebsocketDialect, document: 'x' })
  const doc = new Y.Doc()
  const ranges = chunks.flatMap(payloadsOf).flatMap((payload) => {
    const update = yWebsocketDialect.read(payload).payload
    Y.applyUpdate(doc, update)
    return updateRanges(update)
  })
  expect(ranges).toEqual(Array.from({ length: 150 }, (_, k) => ({ client: clientId(3), from: k, to: k + 1 })))
  expect(doc.getText(TEXT).length).toBe(150)
})
