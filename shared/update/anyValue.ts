import type { ByteReader } from './byteReader.ts'

/**
 * Skips one value in lib0's self-describing encoding, nested at most `depth` levels of arrays and objects.
 *
 *     any = 7f (undefined) | 7e (null) | 7d varInt | 7c float32 | 7b float64 | 7a int64 | 79 (false) | 78 (true)
 *         | 77 string | 76 count (string any)* | 75 count any* | 74 varUint bytes
 */
export function skipAny(reader: ByteReader, depth: number): void {
  const tag = reader.byte()
  switch (tag) {
    case 0x7f:
    case 0x7e:
    case 0x79:
    case 0x78:
      return
    case 0x7d:
      return reader.skipVarInt()
    case 0x7c:
      return reader.skip(4)
    case 0x7b:
    case 0x7a:
      return reader.skip(8)
    case 0x77:
      reader.skipString()
      return
    default:
      skipCompound(reader, tag, depth)
  }
}

function skipCompound(reader: ByteReader, tag: number, depth: number): void {
  if (tag === 0x74) return reader.skip(reader.varUint())
  if (tag !== 0x75 && tag !== 0x76) reader.fail(`has a value of unknown kind ${tag}`)
  if (depth === 0) reader.fail('has a value nested too deeply')
  const isObject = tag === 0x76
  let left = reader.count(isObject ? 2 : 1)
  while (left-- > 0) {
    if (isObject) reader.skipString()
    skipAny(reader, depth - 1)
  }
}

/**
 * Skips the options of a subdocument: always an object, because Yjs reads properties of it. Yjs spreads them over the
 * options of a new `Y.Doc`; a `guid` or `gcFilter` in there would replace the real ones by something that throws when
 * the document is encoded or collected, and Yjs never writes them.
 */
export function skipSubdocumentOptions(reader: ByteReader, depth: number): void {
  if (reader.byte() !== 0x76) reader.fail('has a subdocument without options')
  let left = reader.count(2)
  while (left-- > 0) {
    const length = reader.skipString()
    if (isForbiddenOption(reader, length)) reader.fail('has a subdocument that replaces its own identity')
    skipAny(reader, depth - 1)
  }
}

function isForbiddenOption(reader: ByteReader, length: number): boolean {
  return (length === 4 && reader.follows('guid')) || (length === 8 && reader.follows('gcFilter'))
}
