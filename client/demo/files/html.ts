import type { Node } from '@tiptap/pm/model'
import { DOMSerializer } from '@tiptap/pm/model'

/** A text as HTML. Pictures from elsewhere, which the page itself does not load, are pictures in it. */
export function toHtml(text: Node): string {
  const { nodes, marks } = DOMSerializer.fromSchema(text.type.schema)
  const image = ({ attrs }: Node): [string, Record<string, unknown>] => ['img', attrs]
  // In a document of its own nothing is loaded while it is put together.
  const inert = document.implementation.createHTMLDocument()
  const fragment = new DOMSerializer({ ...nodes, image }, marks).serializeFragment(text.content, { document: inert })
  inert.body.append(fragment)
  return inert.body.innerHTML
}
