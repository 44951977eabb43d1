import type { Cursor } from './engine.ts'

/** "<epoch>-<sequence>"; a sequence of 0 stands for "none" inside the engines and is never written out. */
export function formatCursor(epoch: string, sequence: number): Cursor {
  return `${epoch}-${sequence}`
}

/** The sequence, or null when the cursor is of another epoch or not one of ours. */
export function parseCursor(epoch: string, cursor: Cursor): number | null {
  if (!cursor.startsWith(`${epoch}-`)) return null
  const digits = cursor.slice(epoch.length + 1)
  return /^[1-9]\d{0,15}$/.test(digits) ? Number(digits) : null
}
