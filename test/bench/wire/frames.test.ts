import { array, assert, constantFrom, nat, property } from 'fast-check'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { updateRanges } from '../measure/decode.ts'
import { judge } from '../measure/verdict.ts'
import { clientFrame, FrameParser } from './frames.ts'

/** A server frame: not masked. */
function serverFrame(payload: Uint8Array): Buffer {
  const { length } = payload
  if (length < 126) return Buffer.from([0x82, length, ...payload])
  const header = Buffer.alloc(length < 65_536 ? 4 : 10)
  header[0] = 0x82
  header[1] = length < 65_536 ? 126 : 127
  if (length < 65_536) header.writeUInt16BE(length, 2)
  else header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, payload])
}

function cut(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((part) => part % stream.length), stream.length].sort((a, b) => a - b)
  return at.slice(1).map((end, index) => stream.subarray(at[index], end))
}

test('bench: the frame parser finds every frame however the stream is cut', () => {
  const lengths = array(constantFrom(0, 1, 125, 126, 300, 65_535, 65_536, 70_000), { minLength: 1, maxLength: 6 })
  assert(
    property(lengths, array(nat(), { maxLength: 40 }), (sizes, cuts) => {
      const payloads = sizes.map((size, index) => Buffer.alloc(size, index + 1))
      const received: Buffer[] = []
      const parser = new FrameParser((_first, source, start, end) => {
        received.push(Buffer.from(source.subarray(start, end)))
      })
      for (const chunk of cut(Buffer.concat(payloads.map(serverFrame)), cuts)) parser.push(chunk, 0, chunk.length)
      expect(received.length).toBe(payloads.length)
      expect(received.every((payload, index) => payloads[index]?.equals(payload))).toBe(true)
    }),
  )
})

test('bench: client frames are masked', () => {
  const frame = clientFrame(Uint8Array.of(1, 2, 3))
  expect((frame[1] ?? 0) & 0x80).toBe(0x80)
  const unmasked = frame.subarray(6).map((byte, index) => byte ^ (frame[2 + index] ?? 0))
  expect([...unmasked]).toEqual([1, 2, 3])
})

test('bench: a gap in a merged update is not taken for an edit that arrived', () => {
  const doc = new Y.Doc()
  doc.clientID = 7
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => {
    updates.push(update)
  })
  for (let k = 0; k < 5; k++) doc.getText('content').insert(k, 'x')
  const [first, , third, , fifth] = updates
  if (first === undefined || third === undefined || fifth === undefined) throw new Error('five updates expected')
  expect(updateRanges(Y.mergeUpdates([first, third, fifth]))).toEqual([
    { client: 7, from: 0, to: 1 },
    { client: 7, from: 2, to: 3 },
    { client: 7, from: 4, to: 5 },
  ])
})

test('bench: a verdict needs a peer only when the target is relative', () => {
  const metric = { id: 'cpu', title: '', unit: '', better: 'lower' } as const
  const relative = { ...metric, targets: [{ kind: 'ratio', value: 0.5 }] } as const
  expect(judge(relative, { ours: 1, 'y-websocket': 4, hocuspocus: 2 })).toMatchObject({ ratio: 0.5, pass: true })
  expect(judge(relative, { ours: 1.1, 'y-websocket': 4, hocuspocus: 2 }).pass).toBe(false)
  expect(judge(relative, { ours: 1 }).pass).toBeNull()
  const absolute = { ...metric, targets: [{ kind: 'atLeast', value: 3 }] } as const
  expect(judge(absolute, { ours: 3 }).pass).toBe(true)
  expect(judge(absolute, { ours: 2 }).pass).toBe(false)
})
