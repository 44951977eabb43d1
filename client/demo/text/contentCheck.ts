import type { NodeType, Schema } from '@tiptap/pm/model'
import * as Y from 'yjs'

/** Something in a document that this page's editor has no name for. Binding an editor to it would delete it. */
export interface Unknown {
  readonly what: 'block' | 'style' | 'content'
  readonly name: string
}

/** Marks that may overlap themselves carry a hash behind their name. */
const MARK_HASH = /--[a-zA-Z0-9+/=]{8}$/

/** The first thing in the fragment that the schema does not know; undefined: all of it can be shown and edited. */
export function findUnknown(fragment: Y.XmlFragment, schema: Schema): Unknown | undefined {
  for (const child of fragment.toArray()) {
    const isBlock =
      child instanceof Y.XmlElement && schema.topNodeType.contentMatch.matchType(nodeType(child, schema)) !== null
    const unknown = check(child, schema) ?? (isBlock ? undefined : { what: 'content' as const, name: nameOf(child) })
    if (unknown !== undefined) return unknown
  }
  return undefined
}

/** What a transaction has changed, and no more: a document is checked once as a whole, then as it grows. */
export function findUnknownIn(
  transaction: Y.Transaction,
  fragment: Y.XmlFragment,
  schema: Schema,
): Unknown | undefined {
  for (const type of transaction.changed.keys()) {
    if ((type as unknown) === fragment) return findUnknown(fragment, schema)
    const isInside = (type instanceof Y.XmlElement || type instanceof Y.XmlText) && Y.isParentOf(fragment, type._item)
    const unknown = isInside ? check(type, schema) : undefined
    if (unknown !== undefined) return unknown
  }
  return undefined
}

function check(type: unknown, schema: Schema): Unknown | undefined {
  if (type instanceof Y.XmlText) return checkText(type, schema)
  if (!(type instanceof Y.XmlElement)) return { what: 'content', name: nameOf(type) }
  const known = schema.nodes[type.nodeName]
  if (known === undefined || lacksAttribute(known, type.getAttributes())) return { what: 'block', name: type.nodeName }
  for (const child of type.toArray() as unknown[]) {
    const unknown = check(child, schema)
    if (unknown !== undefined) return unknown
  }
  return undefined
}

function checkText(text: Y.XmlText, schema: Schema): Unknown | undefined {
  for (const { insert, attributes } of text.toDelta() as Delta) {
    if (typeof insert !== 'string') return { what: 'content', name: 'embedded object' }
    for (const key of Object.keys(attributes ?? {})) {
      const name = key.replace(MARK_HASH, '')
      if (schema.marks[name] === undefined) return { what: 'style', name }
    }
  }
  return undefined
}

type Delta = readonly { readonly insert: unknown; readonly attributes?: Readonly<Record<string, unknown>> }[]

function lacksAttribute({ spec }: NodeType, given: Readonly<Record<string, unknown>>): boolean {
  const attributes = Object.entries(spec.attrs ?? {})
  return attributes.some(([name, { default: value }]) => value === undefined && given[name] === undefined)
}

function nodeType(element: Y.XmlElement, schema: Schema): NodeType {
  return schema.nodes[element.nodeName] ?? schema.topNodeType // which stands in nothing, itself included
}

function nameOf(type: unknown): string {
  return type instanceof Y.XmlElement ? type.nodeName : type instanceof Y.XmlText ? 'text' : 'content'
}
