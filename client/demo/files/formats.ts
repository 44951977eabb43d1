/** Ways out of here, by what they are called in the menu. */
export const FORMATS = {
  html: 'HTML',
  md: 'Markdown',
  json: 'JSON',
  code: 'Code, as text',
  ydoc: 'Everything (.ydoc)',
} as const

export type FormatId = keyof typeof FORMATS

export const FORMAT_IDS = Object.keys(FORMATS) as FormatId[]
