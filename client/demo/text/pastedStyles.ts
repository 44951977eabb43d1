/** Whole sheets of them, as office programs send along. */
const SHEET = /<style\b[^>]*>.*?<\/style\s*>/gis
const TAG = /<[a-z](?:[^>"']|"[^"]*"|'[^']*')*>/gi
/** What the policy forbids: styles, and handlers such as `onclick`. */
const FORBIDDEN = /\s(style|on\w+)\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)/gi

/** What of a style is kept, each as an attribute that `marks.ts` reads. */
const KEPT: readonly (readonly [style: RegExp, attribute: string])[] = [
  [/(?<![\w-])font-weight\s*:\s*(?:bold|[6-9]\d\d)/i, 'data-weight="bold"'],
  [/(?<![\w-])font-weight\s*:\s*(?:normal|[1-5]\d\d)/i, 'data-weight="normal"'],
  [/(?<![\w-])font-style\s*:\s*italic/i, 'data-slant="italic"'],
  [/(?<![\w-])text-decoration[^;]*:[^;]*line-through/i, 'data-line="through"'],
  [/(?<![\w-])text-decoration[^;]*:[^;]*underline/i, 'data-line="under"'],
]

/**
 * Pasted HTML without its styles: the page's policy forbids them, and the browser would complain about each one that is
 * parsed. What they say about bold, italic and lines is kept, since some editors say it in no other way; Google Docs
 * even puts all it copies into a `<b>` that is styled as not bold.
 */
export function withoutStyles(html: string): string {
  const keep = (_whole: string, name: string, value: string): string => (/^style$/i.test(name) ? attributes(value) : '')
  return html.replaceAll(SHEET, '').replaceAll(TAG, (tag) => tag.replaceAll(FORBIDDEN, keep))
}

function attributes(style: string): string {
  return KEPT.map(([pattern, attribute]) => (pattern.test(style) ? ` ${attribute}` : '')).join('')
}
