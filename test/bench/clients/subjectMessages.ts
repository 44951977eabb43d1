import type { Traffic } from './countingSocket.ts'

/** What is done in one window, between two looks at the clock. */
export type Task =
  /** Makes edits of one character: `perTurn` in one turn of the event loop, in one room after the other, `everyMs` apart. */
  | {
      readonly type: 'write'
      readonly rooms: number
      readonly turns: number
      readonly perTurn: number
      readonly everyMs: number
      /** Presence says after each edit where the cursor is. */
      readonly hasCursor: boolean
    }
  /** Says that it is ready and waits until `people` in each room have written `edits` characters, in one after the other. */
  | {
      readonly type: 'read'
      readonly rooms: number
      readonly people: number
      readonly edits: number
      readonly everyMs: number
    }
  /** Opens a document `times` times, one after the other. */
  | { readonly type: 'open'; readonly times: number; readonly content: 'empty' | 'full' }

export interface Command {
  readonly url: string
  /** Followed by the number of the room where there are several. */
  readonly room: string
  readonly task: Task
}

export interface Reading extends Traffic {
  /** Microseconds, user and system, of all threads. */
  readonly cpu: number
  /** How often the whole heap has been collected since the process began. */
  readonly collections: number
  /** Of `open`: milliseconds each time from the constructor's call to "synced". */
  readonly times: readonly number[]
}

export type FromSubject =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly reading: Reading }
  | { readonly type: 'failed'; readonly reason: string }
