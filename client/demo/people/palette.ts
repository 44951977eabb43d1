/** Each has a contrast of at least 4.5 with white text on it, and of 3 with both papers as a caret. */
export const PALETTE = [
  '#c2410c',
  '#dc2626',
  '#db2777',
  '#c026d3',
  '#9333ea',
  '#2563eb',
  '#0e7490',
  '#0f766e',
  '#15803d',
  '#a16207',
] as const

/** Said to those who do not see the colours. */
export const PALETTE_NAMES = [
  'Rust',
  'Red',
  'Rose',
  'Magenta',
  'Violet',
  'Blue',
  'Cyan',
  'Teal',
  'Green',
  'Ochre',
] as const

/** For who has none, or one that cannot be read. */
export const NEUTRAL = '#64748b'

/** WCAG relative luminance of `#rrggbb`. */
export function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const channel = Number.parseInt(color.slice(start, start + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** Black or white, whichever reads better on the colour. */
export function inkOn(color: string): string {
  // Where both have the same contrast: (L + 0.05)² = 1.05 × 0.05.
  return luminance(color) > 0.1791 ? '#000000' : '#ffffff'
}
