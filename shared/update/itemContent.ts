import { skipAny, skipSubdocumentOptions } from './anyValue.ts'
import type { ByteReader } from './byteReader.ts'
import { checkJson } from './jsonText.ts'

/** Type references of Yjs: array, map, text, XML element, XML fragment, XML hook, XML text. */
const LAST_TYPE_REF = 6
const XML_ELEMENT = 3
const XML_HOOK = 5

/**
 * Skips the content of an item and returns how many clocks it spans.
 *
 *     content = deleted (1) varUint length | json (2) count text* | binary (3) varUint bytes | string (4) string
 *             | embed (5) text | format (6) string text | type (7) varUint [string if XML element or hook]
 *             | any (8) count any* | document (9) string any
 *     text    = string that JSON.parse accepts; in (2) also the word "undefined"
 */
export function skipContent(reader: ByteReader, ref: number, maxDepth: number): number {
  switch (ref) {
    case 1:
      return reader.varUint()
    case 2:
      return skipJsonList(reader, maxDepth)
    case 3:
      reader.skip(reader.varUint())
      return 1
    case 4:
      return reader.skipString()
    case 8:
      return skipAnyList(reader, maxDepth)
    default:
      skipSingle(reader, ref, maxDepth)
      return 1
  }
}

function skipSingle(reader: ByteReader, ref: number, maxDepth: number): void {
  switch (ref) {
    case 5:
      return skipJson(reader, maxDepth)
    case 6:
      reader.skipString()
      return skipJson(reader, maxDepth)
    case 7:
      return skipType(reader)
    case 9:
      reader.skipString()
      return skipSubdocumentOptions(reader, maxDepth)
    default:
      return reader.fail(`has a struct of unknown kind ${ref}`)
  }
}

function skipType(reader: ByteReader): void {
  const ref = reader.varUint()
  if (ref > LAST_TYPE_REF) reader.fail(`has a type of unknown kind ${ref}`)
  if (ref === XML_ELEMENT || ref === XML_HOOK) reader.skipString()
}

function skipAnyList(reader: ByteReader, maxDepth: number): number {
  const count = reader.count(1)
  for (let i = 0; i < count; i++) skipAny(reader, maxDepth)
  return count
}

function skipJsonList(reader: ByteReader, maxDepth: number): number {
  const count = reader.count(2)
  for (let i = 0; i < count; i++) skipJson(reader, maxDepth, 'undefined')
  return count
}

function skipJson(reader: ByteReader, maxDepth: number, alsoAllowed?: string): void {
  const before = reader.position
  const length = reader.varUint()
  const start = reader.position
  reader.position = before
  reader.skipString()
  if (length === alsoAllowed?.length && reader.follows(alsoAllowed)) return
  checkJson(reader.part(start, reader.position), maxDepth)
}
