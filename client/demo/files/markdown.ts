import type { JSONContent } from '@tiptap/core'
import { MarkdownManager } from '@tiptap/markdown'
import { SCHEMA_EXTENSIONS } from '../text/extensions.ts'

const manager = new MarkdownManager({ extensions: [...SCHEMA_EXTENSIONS] })

export function toMarkdown(content: JSONContent): string {
  return `${manager.serialize(content).trim()}\n`
}

export function fromMarkdown(markdown: string): JSONContent {
  return manager.parse(markdown)
}
