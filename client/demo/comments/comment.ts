import * as Y from 'yjs'
import { MODES } from '../net/address.ts'
import { readPerson } from '../people/person.ts'
import type { Person } from '../people/person.ts'
import type { Anchor } from '../surface.ts'

/** Characters of one comment that are kept. */
export const MAX_LENGTH = 2_000
const MAX_QUOTE_LENGTH = 200

/** What somebody has said, and when (milliseconds since 1970, by their own clock). */
export interface Remark {
  readonly author: Person
  readonly at: number
  readonly text: string
}

/** A comment with the answers to it. */
export interface Thread extends Remark {
  readonly id: string
  readonly isResolved: boolean
  /** What it is about; null: the document. */
  readonly quote: string | null
  readonly anchor: Anchor | null
  readonly replies: readonly Remark[]
}

const SOMEONE: Person = { name: 'Someone', color: '#64748b' }

/** Whatever is in the document, made fit to show; undefined when it is no comment. */
export function readThread(value: unknown): Thread | undefined {
  if (!(value instanceof Y.Map)) return undefined
  const remark = readRemark(value.toJSON())
  const id = value.get('id') as unknown
  if (remark === undefined || typeof id !== 'string') return undefined
  const quote = value.get('quote') as unknown
  const replies = value.get('replies') as unknown
  return {
    ...remark,
    id,
    isResolved: value.get('resolved') === true,
    quote: typeof quote === 'string' ? quote.slice(0, MAX_QUOTE_LENGTH) : null,
    anchor: readAnchor(value.get('anchor')),
    replies:
      replies instanceof Y.Array ? (replies.toJSON() as unknown[]).flatMap((reply) => readRemark(reply) ?? []) : [],
  }
}

function readRemark(value: unknown): Remark | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { author, at, text } = value as Record<string, unknown>
  if (typeof text !== 'string' || typeof at !== 'number' || !Number.isFinite(at)) return undefined
  return { author: readPerson(author) ?? SOMEONE, at, text: text.slice(0, MAX_LENGTH) }
}

function readAnchor(value: unknown): Anchor | null {
  if (typeof value !== 'object' || value === null) return null
  const { mode, from, to } = value as Record<string, unknown>
  const known = MODES.find((name) => name === mode)
  return known === undefined ? null : { mode: known, from, to }
}
