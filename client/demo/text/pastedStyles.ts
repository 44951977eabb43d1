const TAG_WITH_STYLE = /<[a-z][^>]*?\sstyle\s*=\s*(?:"[^"]*"|'[^']*')[^>]*>/gi
const STYLE = /\sstyle\s*=\s*("[^"]*"|'[^']*')/gi

/** What of a style is kept, each as an attribute that `marks.ts` reads. */
const KEPT: readonly (readonly [style: RegExp, attribute: string])[] = [
  [/font-weight\s*:\s*(?:bold|[6-9]\d\d)/i, 'data-weight="bold"'],
  [/font-weight\s*:\s*(?:normal|[1-5]\d\d)/i, 'data-weight="normal"'],
  [/font-style\s*:\s*italic/i, 'data-slant="italic"'],
  [/text-decoration[^;]*:[^;]*line-through/i, 'data-line="through"'],
  [/text-decoration[^;]*:[^;]*underline/i, 'data-line="under"'],
]

/**
 * Pasted HTML without its `style` attributes: the page's policy forbids them, and the browser would complain about each one
 * that is parsed. What they say about bold, italic and lines is kept, since some editors say it in no other way; Google Docs
 * even puts all it copies into a `<b>` that is styled as not bold.
 */
export function withoutStyles(html: string): string {
  return html.replaceAll(TAG_WITH_STYLE, (tag) => tag.replaceAll(STYLE, (_whole, style: string) => attributes(style)))
}

function attributes(style: string): string {
  return KEPT.map(([pattern, attribute]) => (pattern.test(style) ? ` ${attribute}` : '')).join('')
}
