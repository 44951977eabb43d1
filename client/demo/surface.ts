import type { Mode } from './net/address.ts'

/** A stretch of one of the two pages that stays on the same words while others write: Yjs relative positions, as JSON. */
export interface Anchor {
  readonly mode: Mode
  readonly from: unknown
  readonly to: unknown
}

export interface Passage {
  readonly anchor: Anchor
  readonly text: string
}

/** One of the two editors, as the rest of the page knows it. */
export interface Surface {
  focus(): void
  /** What is selected; null when nothing is. */
  passage(): Passage | null
  /** Marks these passages. */
  mark(anchors: readonly Anchor[]): void
  /** Scrolls there and selects it; does nothing when the words are gone. */
  goTo(anchor: Anchor): void
  /** Scrolls to someone's caret, if they have one here. */
  reveal(client: number): void
  setEditable(isEditable: boolean): void
}
