import { javascript } from '@codemirror/lang-javascript'
import { markdown } from '@codemirror/lang-markdown'
import type { Extension } from '@codemirror/state'

/** What code may be read as. */
export const LANGUAGES = {
  javascript: { name: 'JavaScript', extension: 'js', support: (): Extension => javascript() },
  typescript: {
    name: 'TypeScript',
    extension: 'ts',
    support: (): Extension => javascript({ typescript: true, jsx: true }),
  },
  markdown: { name: 'Markdown', extension: 'md', support: (): Extension => markdown() },
  plain: { name: 'Plain text', extension: 'txt', support: (): Extension => [] },
} as const

export type LanguageId = keyof typeof LANGUAGES

export const LANGUAGE_IDS = Object.keys(LANGUAGES) as LanguageId[]

export function toLanguageId(value: unknown): LanguageId {
  return LANGUAGE_IDS.find((id) => id === value) ?? 'javascript'
}
