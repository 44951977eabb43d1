/** Milliseconds; doubled with every failure. With 100, of 2,000 clients that lost a server 755 came in a tenth of a second. */
const BASE_MS = 256
/** Milliseconds a connection must have been open for its end to count as the first failure. */
const STEADY_MS = 5_000
/** What a page nobody looks at waits longer by. */
const HIDDEN_FACTOR = 4
/** What a client waits longer by whose own frames were refused: it will send the same again. */
const REFUSED_FACTOR = 4

/** Close codes by which the server refuses what we sent (PROTOCOL.md, "Close codes"). */
const isRefusal = (code: number): boolean => code === 1003 || (code >= 1007 && code <= 1009)
/** Close codes by which the server asks for time. */
const isBusy = (code: number): boolean => code === 1012 || code === 1013

/** How a connection, or the attempt to get one, ended. */
export interface Ended {
  /** 1006 and the like; 0 when we closed it ourselves. */
  readonly code: number
  /** Milliseconds since it opened, when it had synchronised a document; else null. */
  readonly syncedFor: number | null
}

/** What a wait depends on. */
export interface Circumstances {
  /** How many attempts in a row have led to nothing. */
  readonly failures: number
  /** Milliseconds. */
  readonly maximum: number
  readonly isHidden: boolean
  /** From 0 to 1. */
  readonly chance: number
}

/**
 * Full jitter: clients that lost the same server do not come back together. The first retry is at once, and only it.
 *
 * @returns milliseconds to wait
 */
export function backoff({ code, syncedFor }: Ended, { failures, maximum, isHidden, chance }: Circumstances): number {
  const isRefused = isRefusal(code)
  // A connection that synchronises and breaks at once, again and again, is not a first failure each time.
  const isFlapping = syncedFor !== null && syncedFor < STEADY_MS
  const isAskedToWait = isRefused || isBusy(code)
  if (failures === 1 && !isFlapping && !isAskedToWait) return 0
  const factor = (isHidden ? HIDDEN_FACTOR : 1) * (isRefused ? REFUSED_FACTOR : 1)
  const ceiling = isRefused ? maximum : Math.min(maximum, BASE_MS * 2 ** Math.min(failures, 16))
  return chance * (ceiling || BASE_MS) * factor // 0 or no number: somebody has set the field to what the option may not be
}
