import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

/** A fenced block of a Markdown file. */
export interface Block {
  readonly language: string
  /** Whether it goes on where the block before it ended: its info string says `continue`. */
  readonly continues: boolean
  readonly code: string
  /** Line of the first line of code, counted from 1. */
  readonly line: number
}

/** Where the client's users read: paths from the root of the project. */
export function clientPages(): string[] {
  const docs = join(root, 'client', 'docs')
  const pages = readdirSync(docs).filter((file) => file.endsWith('.md'))
  return ['client/README.md', ...pages.map((file) => relative(root, join(docs, file)))].sort()
}

export function blocksOf(page: string): Block[] {
  const lines = readFileSync(join(root, page), 'utf8').split('\n')
  const blocks: Block[] = []
  let start: number | null = null
  let info = ''
  for (const [index, text] of lines.entries()) {
    if (!text.startsWith('```')) continue
    if (start === null) {
      start = index + 1
      info = text.slice(3)
      continue
    }
    const [language = '', ...words] = info.split(' ')
    const code = lines.slice(start, index).join('\n')
    blocks.push({ language, continues: words.includes('continue'), code, line: start + 1 })
    start = null
  }
  if (start !== null) throw new Error(`${page}:${start}: this block never ends`)
  return blocks
}

/** A program as a page shows it: one block, or one and those that continue it. */
export interface Snippet {
  readonly page: string
  readonly line: number
  readonly extension: 'ts' | 'tsx'
  readonly code: string
}

export function snippetsOf(page: string): Snippet[] {
  const snippets: Snippet[] = []
  for (const { language, continues, code, line } of blocksOf(page)) {
    if (language !== 'ts' && language !== 'tsx') continue
    const before = continues ? snippets.pop() : undefined
    if (continues && before === undefined) throw new Error(`${page}:${line}: there is nothing to continue`)
    // Blank lines keep line numbers, so that an error names the line of the page.
    const head = before?.code ?? ''
    const gap = '\n'.repeat(Math.max(0, line - 1 - (head === '' ? 0 : head.split('\n').length - 1)))
    snippets.push({ page, line: before?.line ?? line, extension: language, code: `${head}${gap}${code}\n` })
  }
  return snippets
}
