/** A seeded source of numbers below `limit` (mulberry32). */
export type Random = (limit: number) => number

export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

type Mutation = (bytes: number[], at: number, random: Random, other: Uint8Array) => void

const INTERESTING = [0, 1, 2, 7, 10, 0x20, 0x40, 0x7f, 0x80, 0x81, 0x84, 0xa4, 0xc4, 0xff]

/** Numbers a length, clock or client may be blown up to: 2^7, 2^25, 2^32 - 1, 2^53 - 1, just beyond, and endless. */
const INFLATED = [
  [0x80, 0x01],
  [0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x00],
]

const mutations: readonly Mutation[] = [
  (bytes, at, random) => {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
  },
  (bytes, at, random) => {
    bytes[at] = INTERESTING[random(INTERESTING.length)] ?? 0
  },
  (bytes, at, random) => {
    bytes[at] = ((bytes[at] ?? 0) + (random(2) === 0 ? 1 : 255)) & 255
  },
  (bytes, at) => {
    bytes.length = at
  },
  (bytes, at, random) => {
    bytes.splice(at, 1 + random(8))
  },
  (bytes, at, random) => {
    bytes.splice(at, 0, ...bytes.slice(at, at + 1 + random(16)))
  },
  (bytes, at, random, other) => {
    const from = random(other.length)
    bytes.splice(at, random(12), ...other.subarray(from, from + 1 + random(24)))
  },
  (bytes, at, random) => {
    bytes.splice(at, 1, ...(INFLATED[random(INFLATED.length)] ?? []))
  },
  (bytes, at, random) => {
    const to = random(bytes.length)
    const byte = bytes[at] ?? 0
    bytes[at] = bytes[to] ?? 0
    bytes[to] = byte
  },
]

/** `update` with one to three random faults, some of them pieces of `other`. */
export function mutated(update: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const bytes = [...update]
  for (let left = 1 + random(3); left > 0 && bytes.length > 0; left--) {
    const mutation = mutations[random(mutations.length)]
    mutation?.(bytes, random(bytes.length), random, other)
  }
  return Uint8Array.from(bytes)
}
