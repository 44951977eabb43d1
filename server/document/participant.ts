import type { CloseCode } from '../../shared/closeCodes.ts'
import type { ScriptoriumError } from '../../shared/errors.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import type { Broadcast } from './broadcast.ts'
import type { Speaker } from './presenceEntry.ts'

/** An update some session sent, on its way into the log. */
export interface Submission {
  readonly from: Participant
  /** Null: nothing new in it, but its acknowledgement has to wait for what is being committed. */
  readonly update: Uint8Array | null
  /** Which of its session's uploads it is, counted from 1; null: a part of one that is held as a whole. */
  readonly number: number | null
  /** Structs and deleted ranges in it: what Yjs' work grows with. */
  readonly structs: number
  /**
   * Whether it continues exactly where the document's structs end, without deleting anything. Then nothing but its own
   * bytes is needed to log and relay it, if they are plain.
   */
  readonly appends: boolean
  /** Whether the session's client counts on an acknowledgement of its own for this one. */
  readonly acknowledge: boolean
  /** `Clock.now()` at arrival. */
  readonly arrivedAt: number
}

/** A session, as the pipeline sees it. */
export interface Participant {
  /** It has left; what it submitted is committed all the same. */
  readonly isGone: boolean
  /** One of its submissions has left the queue and is being committed: there is room for more. */
  taken(submission: Submission): void
  /** One of its submissions is durable. */
  settled(submission: Submission): void
  /** One of its submissions builds on something unknown after all. */
  hold(submission: Submission, shape: UpdateShape): void
  /**
   * Memory and log agree: acknowledge, answer what waits. 'done': call again when something of its own is settled;
   * 'held': call again after other commits too; 'later': call again after a while, its budget is spent.
   */
  serve(): 'done' | 'held' | 'later'
  /**
   * A committed update for everybody.
   *
   * @param author whose words it is, and nothing else; null: those of several, or Yjs has added to them
   * @param vector tells the state vector after it, to be asked only when needed
   */
  deliver(update: Broadcast, author: Participant | null, vector: () => Uint8Array): void
  /** @param speaker who has said all of it, in these words; null: nobody has */
  deliverPresence(presence: Broadcast, speaker: Speaker | null): void
  fail(error: ScriptoriumError): void
  close(code: CloseCode, reason: string): void
}
