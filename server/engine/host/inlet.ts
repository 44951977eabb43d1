import { Frame, HEADER_BYTES, LENGTH_BYTES, MAX_FRAME_BYTES } from './frames.ts'

/** Cuts what a socket delivers into frames. */
export class Inlet {
  readonly #onFrame: (frame: Frame) => void
  #chunks: Buffer[] = []
  #bytes = 0
  /** Bytes that must be here before anything can be cut off; long frames are joined once, not chunk by chunk. */
  #needed = LENGTH_BYTES

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame
  }

  /** @throws RangeError when this is not a stream of frames: it cannot be read any further */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes < this.#needed) return
    const joined = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bytes)
    const rest = joined.subarray(this.#cut(joined))
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#bytes = rest.length
  }

  /** Returns where the first incomplete frame begins. */
  #cut(bytes: Buffer): number {
    let start = 0
    for (;;) {
      const available = bytes.length - start
      this.#needed = available < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + lengthAt(bytes, start)
      if (available < this.#needed) return start
      const end = start + this.#needed
      this.#onFrame(new Frame(bytes.subarray(start + LENGTH_BYTES, end)))
      start = end
    }
  }
}

function lengthAt(bytes: Buffer, start: number): number {
  const length = bytes.readUInt32BE(start)
  if (length < HEADER_BYTES || length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes`)
  return length
}
