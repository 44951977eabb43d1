import { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { defaultLimits } from '../../shared/limits.ts'
import { Flusher } from '../../server/transport/flusher.ts'
import { encodeFrame, FRAGMENT_BYTES, FRAGMENT_PAYLOAD, isFragmented } from '../../server/transport/frame.ts'
import { Outbox } from '../../server/transport/outbox.ts'
import { decodeFrames, decodeMessages } from '../model/frames.ts'

const nothing = new Uint8Array()

function bytes(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff)
}

/** A socket that takes what it is told to take: `room` writes, then it is full until `drain`. */
class FakeSocket extends Duplex {
  readonly writes: Uint8Array[] = []
  room = Infinity

  override write(chunk: unknown): boolean {
    this.writes.push(chunk as Uint8Array)
    this.room -= 1
    return this.room > 0
  }
}

function outboxWith(limits = {}) {
  const socket = new FakeSocket()
  const traffic = { framesIn: 0, bytesIn: 0, writes: 0, bytesOut: 0 }
  const told = { drained: 0 }
  const everythingSent = (): void => void (told.drained += 1)
  const context = { limits: { ...defaultLimits, ...limits }, traffic, flusher: new Flusher(() => 0) }
  const outbox = new Outbox(socket, context, { everythingSent })
  return { socket, traffic, outbox, told }
}

describe('frame', () => {
  it('RFC 6455: header sizes at the boundaries of the length field, and back', () => {
    for (const [length, header] of [
      [0, 2],
      [125, 2],
      [126, 4],
      [65_535, 4],
      [65_536, 10],
      [FRAGMENT_PAYLOAD, 10],
    ] as const) {
      const payload = bytes(length)
      const frame = encodeFrame(payload.subarray(0, 3), payload.subarray(3))
      expect(frame.length).toBe(header + length)
      const [decoded, ...more] = decodeFrames(frame)
      expect(more).toEqual([])
      expect(decoded).toMatchObject({ isFinal: true, opcode: 2 })
      expect(Buffer.compare(decoded?.payload ?? nothing, payload)).toBe(0)
      expect(isFragmented(frame)).toBe(false)
    }
  })

  it('T7: longer messages come as fragments of 256 KiB that can be cut where FRAGMENT_BYTES says', () => {
    for (const length of [
      FRAGMENT_PAYLOAD + 1,
      2 * FRAGMENT_PAYLOAD,
      2 * FRAGMENT_PAYLOAD + 126,
      3 * FRAGMENT_PAYLOAD + 70_000,
    ]) {
      const payload = bytes(length)
      const frame = encodeFrame(payload.subarray(0, 7), payload.subarray(7))
      const frames = decodeFrames(frame)
      expect(isFragmented(frame)).toBe(true)
      expect(frames.map(({ opcode }) => opcode)).toEqual(frames.map((_, index) => (index === 0 ? 2 : 0)))
      expect(frames.map(({ isFinal }) => isFinal)).toEqual(frames.map((_, index) => index === frames.length - 1))
      expect(Buffer.concat(frames.map((one) => one.payload)).equals(payload)).toBe(true)
      for (let at = 0; at < frame.length; at += FRAGMENT_BYTES) {
        expect(decodeFrames(frame.subarray(at, at + FRAGMENT_BYTES))).toHaveLength(1)
      }
    }
  })
})

describe('outbox', () => {
  it('T7: everything queued in one turn leaves in one write, in order', async () => {
    const { socket, traffic, outbox } = outboxWith()
    for (let index = 0; index < 5; index += 1) outbox.push(encodeFrame(nothing, bytes(10, index)))
    expect(socket.writes).toHaveLength(0)
    await Promise.resolve()
    expect(socket.writes).toHaveLength(1)
    expect(decodeMessages(socket.writes[0] ?? nothing).map((one) => one[0])).toEqual([0, 1, 2, 3, 4])
    expect(traffic).toMatchObject({ writes: 1, bytesOut: 60 })
  })

  it('a single frame is written as it is, not copied: it is shared with other sockets', async () => {
    const { socket, outbox } = outboxWith()
    const frame = encodeFrame(nothing, bytes(10))
    outbox.push(frame)
    await Promise.resolve()
    expect(socket.writes[0]).toBe(frame)
  })

  it('T7: long and short messages keep their order, cut only between fragments, one write at a time while blocked', async () => {
    const { socket, outbox, told } = outboxWith()
    const messages = [10, FRAGMENT_PAYLOAD + 5, 20, 3 * FRAGMENT_PAYLOAD, 200_000, 200_000, 30].map((length) =>
      bytes(length, length),
    )
    for (const message of messages) outbox.push(encodeFrame(nothing, message))
    socket.room = 1
    await Promise.resolve()
    for (let round = 0; socket.room <= 0 && round < 50; round += 1) {
      expect(socket.writes).toHaveLength(round + 1)
      socket.room = 1
      outbox.drained(round)
      if (told.drained > 0) break
    }
    for (const write of socket.writes) expect(decodeFrames(write).length).toBeGreaterThan(0) // throws on a cut inside a frame
    const received = decodeMessages(Buffer.concat(socket.writes))
    expect(received.map((one) => one.length)).toEqual(messages.map((one) => one.length))
    for (const [index, message] of messages.entries())
      expect(Buffer.compare(received[index] ?? nothing, message)).toBe(0)
  })

  it('S4: congested above highWaterBytes, until it is sent', async () => {
    const { socket, outbox } = outboxWith({ highWaterBytes: 100 })
    outbox.push(encodeFrame(nothing, bytes(50)))
    expect(outbox.congested).toBe(false)
    outbox.push(encodeFrame(nothing, bytes(50)))
    expect(outbox.congested).toBe(true)
    await Promise.resolve()
    expect(outbox.congested).toBe(false)
    expect(socket.writes).toHaveLength(1)
  })

  it('T8: who is sent more than maxUnreadBytes while congested is to be closed; draining forgives', async () => {
    const { socket, outbox, told } = outboxWith({ highWaterBytes: 100, maxUnreadBytes: 200 })
    socket.room = 1
    const frame = encodeFrame(nothing, bytes(98))
    const push = (): boolean => outbox.push(frame)
    expect([push(), push(), push(), push()]).toEqual([true, true, true, true])
    expect(push()).toBe(false)
    await Promise.resolve()
    expect(outbox.blockedSince).toBe(0)
    socket.room = Infinity
    outbox.drained(5)
    expect(told.drained).toBe(1)
    expect(outbox.blockedSince).toBe(null)
    expect([push(), push(), push(), push()]).toEqual([true, true, true, true])
  })

  it('what is cleared is not written', async () => {
    const { socket, outbox } = outboxWith()
    outbox.push(encodeFrame(nothing, bytes(10)))
    outbox.clear()
    await Promise.resolve()
    expect(socket.writes).toHaveLength(0)
    outbox.push(encodeFrame(nothing, bytes(11)))
    await Promise.resolve()
    expect(socket.writes).toHaveLength(1)
  })
})
