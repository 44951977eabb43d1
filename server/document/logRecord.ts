import type { Participant, Submission } from './participant.ts'

/** What one beat writes: an update, and whose words it is made of. */
export interface LogRecord {
  readonly batch: readonly Submission[]
  readonly merged: Uint8Array
  /** Null: of several sessions, or there is more in it than was said. */
  readonly author: Participant | null
}

/** The session that has said all of these in these words; null: there are several, or we have made part of one ourselves. */
export function authorOf(submissions: readonly Submission[]): Participant | null {
  const from = submissions[0]?.from ?? null
  return submissions.every((submission) => submission.from === from && submission.number !== null) ? from : null
}
