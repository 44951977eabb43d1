import type { Durability } from '../engine/engine.ts'
import type { Options } from '../options/table.ts'

/**
 * What primary and workers say to one another over Node's own channel between parent and child. Both are one build.
 * Documents never go this way: the engine has a socket of its own (`engine/host/frames.ts`).
 */
export type ToWorker =
  /** The first message. `hosted`: the engine is reached over `ENGINE_DESCRIPTOR`; else the worker opens its own. */
  | { readonly type: 'start'; readonly index: number; readonly options: Options; readonly hosted: boolean }
  /** With a socket; `head`: the bytes that were read from it already, as Latin-1; `isAnswered`: as in `Arrival`. */
  | { readonly type: 'connection'; readonly id: number; readonly head: string; readonly isAnswered: boolean }
  /** Asks for `reached`, to learn whether everything up to that connection has arrived. */
  | { readonly type: 'reach'; readonly id: number }
  /** Store everything, close 1012, exit. */
  | { readonly type: 'stop'; readonly deadlineMs: number }
  /** Asks for `collected`. */
  | { readonly type: 'collect'; readonly id: number }
  /** The answer to `scrape`: the metrics of all processes. */
  | { readonly type: 'scraped'; readonly text: string }

export type ToPrimary =
  | { readonly type: 'ready'; readonly durability: Durability }
  /** It could not start, in words for people, and ends. */
  | { readonly type: 'failed'; readonly reason: string }
  /** That connection is ours; `open` of them are. */
  | { readonly type: 'taken'; readonly id: number; readonly open: number }
  | { readonly type: 'reached'; readonly id: number }
  | { readonly type: 'open'; readonly open: number }
  /** Send no more connections: this process is about to end by itself. */
  | { readonly type: 'leaving' }
  /** Metrics of this process. */
  | { readonly type: 'collected'; readonly id: number; readonly text: string }
  /** Somebody asked this worker for `/metrics`: asks for `scraped`. */
  | { readonly type: 'scrape' }

/** What the program is called with when it is to be a worker. */
export const WORKER_ARGUMENT = 'worker'

/** The descriptor on which a worker finds the engine's socket; 3 is Node's own channel. */
export const ENGINE_DESCRIPTOR = 4

/** A worker ended as told, but not everything could be stored. */
export const INCOMPLETE_EXIT_CODE = 4
