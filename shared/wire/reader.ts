import { decodeUtf8 } from 'lib0/string'
import { MalformedFrameError } from '../errors.ts'
import { ByteReader } from '../update/byteReader.ts'

function malformedFrame(message: string): never {
  throw new MalformedFrameError(`The frame ${message}`)
}

/**
 * Reads one frame and never beyond it. lib0's own decoder builds views on the underlying buffer without checking the
 * frame's end, which on pooled Node buffers would read other clients' bytes. Every method throws `MalformedFrameError`.
 */
export class Reader extends ByteReader {
  constructor(frame: Uint8Array) {
    super(frame, malformedFrame)
  }

  /** varUint length, then that many bytes: a view on the frame, not a copy. */
  buffer(): Uint8Array {
    const length = this.varUint()
    this.skip(length)
    return this.bytes.subarray(this.position - length, this.position)
  }

  /** A buffer holding UTF-8. */
  string(): string {
    const bytes = this.buffer()
    try {
      return decodeUtf8(bytes)
    } catch (error) {
      throw new MalformedFrameError('The frame has a string that is not UTF-8', error)
    }
  }

  /** To be called where the frame must be over. */
  finish(): void {
    if (this.remaining > 0) this.fail('has bytes after its end')
  }
}
