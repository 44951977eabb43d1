const CR = 13
/** Types of which the first line is the length in bytes, or how many values follow (twice as many in maps). */
const blobs = new Set(['$', '=', '!'])
const lists = new Set(['*', '~', '>'])
const maps = new Set(['%', '|'])

/** Cuts a stream of RESP2 or RESP3 into whole values. */
export class RespFrames {
  #rest: Buffer = Buffer.alloc(0)

  /** The values that are complete with this chunk, as they came. */
  split(chunk: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: Buffer[] = []
    let start = 0
    for (let end = valueEnd(bytes, start); end !== null; end = valueEnd(bytes, start)) {
      frames.push(bytes.subarray(start, end))
      start = end
    }
    this.#rest = bytes.subarray(start)
    return frames
  }
}

/** Where the value that begins at `start` ends; null when it is not all there. */
function valueEnd(bytes: Buffer, start: number): number | null {
  const lineEnd = bytes.indexOf(CR, start)
  if (start >= bytes.length || lineEnd === -1 || lineEnd + 2 > bytes.length) return null
  const size = Number(bytes.toString('latin1', start + 1, lineEnd))
  const end = lineEnd + 2
  const type = String.fromCharCode(bytes[start] ?? 0)
  if (blobs.has(type)) return size < 0 ? end : within(bytes, end + size + 2)
  if (lists.has(type)) return valuesEnd(bytes, end, size)
  return maps.has(type) ? valuesEnd(bytes, end, 2 * size) : end
}

function valuesEnd(bytes: Buffer, start: number, count: number): number | null {
  let end: number | null = start
  for (let index = 0; index < count && end !== null; index++) end = valueEnd(bytes, end)
  return end
}

function within(bytes: Buffer, end: number): number | null {
  return end <= bytes.length ? end : null
}
