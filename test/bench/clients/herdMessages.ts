export type HerdCommand =
  /** Opens providers and waits until they are synced. */
  | { readonly type: 'open'; readonly url: string; readonly first: number; readonly count: number }
  /** Everybody makes an edit of this name. */
  | { readonly type: 'edit'; readonly name: string }
  /** From now on attempts to connect are noted. */
  | { readonly type: 'note' }
  /** Waits until everybody is synced. */
  | { readonly type: 'wait'; readonly limitMs: number }

export interface Attempt {
  /** Milliseconds since 1970, with fractions: a clock that two processes share. */
  readonly at: number
  /** How many of this provider's were noted before. */
  readonly before: number
}

export interface HerdReport {
  /** Milliseconds since 1970; null: somebody is not synced. */
  readonly syncedAt: number | null
  readonly attempts: readonly Attempt[]
}

/** Providers that share a document. */
const PER_ROOM = 4

export function herdRoom(provider: number): string {
  return `herd-${Math.floor(provider / PER_ROOM)}`
}

/** The map in which each provider's edits are. */
export const EDITS = 'edits'

export function editKey(provider: number, name: string): string {
  return `${provider} ${name}`
}
