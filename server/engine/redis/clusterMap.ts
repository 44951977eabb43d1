import type { Reply } from './connection.ts'
import type { Address } from './target.ts'

/** Slots from `start` to `end`, both included, and the master that serves them. */
export interface SlotRange {
  readonly start: number
  readonly end: number
  readonly master: Address
}

/** MOVED: somebody else serves the slot now. ASK: it is on its way, and this one command is for the other. */
export interface Redirection {
  readonly kind: 'MOVED' | 'ASK'
  readonly to: Address
}

/**
 * Reads the answer to CLUSTER SLOTS: start, end, master, replicas …, each node as host, port and more.
 *
 * @param asked who answered: a node that does not know its own host leaves it out
 */
export function readSlots(reply: Reply, asked: Address): readonly SlotRange[] {
  return list(reply).flatMap((range) => {
    const [start, end, master] = list(range)
    const address = readNode(master, asked)
    return address === null ? [] : [{ start: Number(start), end: Number(end), master: address }]
  })
}

/** Where "MOVED 3999 host:port" and "ASK 3999 host:port" point to; null for other errors. */
export function readRedirection(error: Error, asked: Address | null): Redirection | null {
  const match = /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(error.message)
  if (match === null) return null
  const host = match[2] === '' ? asked?.host : match[2]
  if (host === undefined) return null
  return { kind: match[1] === 'ASK' ? 'ASK' : 'MOVED', to: { host, port: Number(match[3]) } }
}

function readNode(reply: Reply | undefined, asked: Address): Address | null {
  const [host, port] = list(reply)
  const name = host === null || host === undefined ? '' : String(host)
  if (port === undefined || name === '?') return null
  return { host: name === '' ? asked.host : name, port: Number(port) }
}

function list(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : []
}
