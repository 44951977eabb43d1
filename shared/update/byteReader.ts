import { utf16Length } from './utf8.ts'

/**
 * A cursor over bytes somebody else wrote. Every read is bounded by `end`; whatever does not fit goes to `fail`, which
 * throws the error of the format being read. Nothing is copied or allocated.
 *
 *     varUint = 7 bits per byte, lowest first, bit 8 = "more follows"; at most 8 bytes and 2^53 - 1
 *     varInt  = the same, but the first byte carries 6 bits and the sign in bit 7
 *     string  = varUint length in bytes, valid UTF-8
 */
export class ByteReader {
  readonly bytes: Uint8Array
  readonly end: number
  position: number
  readonly #fail: (message: string) => never

  constructor(bytes: Uint8Array, fail: (message: string) => never, position = 0, end = bytes.length) {
    this.bytes = bytes
    this.end = end
    this.position = position
    this.#fail = fail
  }

  get remaining(): number {
    return this.end - this.position
  }

  fail(message: string): never {
    return this.#fail(`${message} (at byte ${this.position} of ${this.end})`)
  }

  /** A reader of some of the same bytes, failing the same way. */
  part(start: number, end: number): ByteReader {
    return new ByteReader(this.bytes, this.#fail, start, end)
  }

  byte(): number {
    if (this.position >= this.end) this.fail('ends too early')
    return this.bytes[this.position++] as number
  }

  /** The next byte without taking it, or -1 at the end. */
  peek(): number {
    return this.position < this.end ? (this.bytes[this.position] as number) : -1
  }

  varUint(): number {
    const first = this.byte()
    return first < 0x80 ? first : this.#moreDigits(first & 0x7f, 0x80)
  }

  /** Only the size is checked: no caller needs the number. */
  skipVarInt(): void {
    const first = this.byte()
    if (first >= 0x80) this.#moreDigits(first & 0x3f, 0x40)
  }

  /** A number of things that each take at least `minBytes` of what follows; refused if they cannot all be there. */
  count(minBytes: number): number {
    const count = this.varUint()
    if (count > this.remaining / minBytes) this.fail(`announces ${count} entries, more than fit`)
    return count
  }

  skip(length: number): void {
    if (length > this.remaining) this.fail(`announces ${length} bytes, more than there are`)
    this.position += length
  }

  /** Skips a string and returns its length in UTF-16 units: what Yjs counts clocks in. */
  skipString(): number {
    const length = this.varUint()
    if (length > this.remaining) this.fail(`announces a string of ${length} bytes, more than there are`)
    const start = this.position
    const units = utf16Length(this.bytes, start, start + length)
    if (units < 0) this.fail('has a string that is not UTF-8')
    this.position = start + length
    return units
  }

  /** Whether the ASCII `word` is what lies directly before the cursor. */
  follows(word: string): boolean {
    const start = this.position - word.length
    if (start < 0) return false
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[start + i] !== word.charCodeAt(i)) return false
    }
    return true
  }

  #moreDigits(low: number, firstScale: number): number {
    let value = low
    let scale = firstScale
    for (let taken = 1; taken < 8; taken++) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.fail('has a number beyond 2^53 - 1')
      scale *= 0x80
    }
    return this.fail('has a number of more than 8 bytes')
  }
}
