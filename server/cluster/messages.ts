import { z } from 'zod'

/** Bytes of one message on the control channel. Names take up to 512, presence of a large room some hundred KiB. */
const MAX_BYTES = 4 * 1024 * 1024

/** Characters of a reason; a close frame carries fewer. */
export const MAX_REASON = 256

const status = z.object({
  connections: z.number().int().nonnegative(),
  documents: z.number().int().nonnegative(),
  version: z.string().max(64),
})
const disconnect = z.object({ document: z.string().max(1024), reason: z.string().max(MAX_REASON) })
const question = z.object({ id: z.number().int(), document: z.string().max(1024) })
/** `states`: an awareness update in base64; null: nobody is there. */
const answer = z.object({ id: z.number().int(), to: z.string().max(64), states: z.string().nullable() })

export type Status = z.infer<typeof status>

/**
 * What nodes tell one another that is about no document in particular: JSON, because it is rare and nodes of different
 * versions have to understand one another. What a schema does not name is ignored.
 */
const schemas = { status, 'ask-status': z.object({}), disconnect, 'ask-presence': question, presence: answer }

export type Kind = keyof typeof schemas
export type Content<K extends Kind> = z.infer<(typeof schemas)[K]>

export function encode<K extends Kind>(content: Content<K>): Uint8Array {
  return Buffer.from(JSON.stringify(content))
}

/** Null: not a message of this kind. */
export function decode<K extends Kind>(kind: K, bytes: Uint8Array): Content<K> | null {
  if (bytes.length > MAX_BYTES) return null
  const parsed = schemas[kind].safeParse(parseJson(bytes))
  // The table pairs each kind with its own schema; the compiler cannot follow that through an index.
  return parsed.success ? (parsed.data as Content<K>) : null
}

export function isKind(kind: string): kind is Kind {
  return Object.hasOwn(schemas, kind)
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
  } catch {
    return undefined
  }
}
