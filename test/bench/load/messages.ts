import type { Outcome } from '../scenarios/scenario.ts'
import type { ServerName } from '../servers/serverKind.ts'

/** What to run. */
export interface ToWorker {
  readonly scenario: string
  readonly server: ServerName
  /** Null: the scenario's own duration. */
  readonly seconds: number | null
  /** Where temporary data directories are made. */
  readonly dataRoot: string
}

export type FromWorker =
  | { readonly type: 'log'; readonly text: string }
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | { readonly type: 'failed'; readonly reason: string }
