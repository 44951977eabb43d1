/** A worker that takes connections. */
export interface Candidate {
  readonly index: number
  /** Connections it has, those under way to it included. */
  readonly load: number
}

/**
 * How much more than its share a worker may have before documents that belong to it go elsewhere. The path of a
 * Hocuspocus client's address is often the same for all documents: without a bound, all of them would be on one worker.
 */
const MAX_IMBALANCE = 1.25
/** Connections a worker may have in any case, so that small servers keep all of a document in one place. */
const FREE_CONNECTIONS = 64

/**
 * The worker for a connection: by rendezvous hashing of its document, so that those who share a document meet in one
 * process, and only a worker that comes or goes changes who that is. Without a document, or when that one has too much:
 * the next by the same hashing, or whoever has least. Undefined when there is none.
 */
export function chooseWorker<Worker extends Candidate>(
  candidates: readonly Worker[],
  document: string | null,
): Worker | undefined {
  if (document === null) return leastLoaded(candidates)
  const total = candidates.reduce((sum, { load }) => sum + load, 0)
  const most = Math.max(FREE_CONNECTIONS, (MAX_IMBALANCE * (total + 1)) / candidates.length)
  return preferred(
    candidates.filter(({ load }) => load < most),
    document,
  )
}

function leastLoaded<Worker extends Candidate>(candidates: readonly Worker[]): Worker | undefined {
  return candidates.reduce<Worker | undefined>(
    (best, candidate) => (best === undefined || candidate.load < best.load ? candidate : best),
    undefined,
  )
}

function preferred<Worker extends Candidate>(candidates: readonly Worker[], document: string): Worker | undefined {
  const hash = hashOf(document)
  let best: Worker | undefined
  let highest = -1
  for (const candidate of candidates) {
    const score = mix(hash ^ mix(candidate.index + 1))
    if (score > highest) [best, highest] = [candidate, score]
  }
  return best
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash
}

/** MurmurHash3's finalizer: every bit of the input changes half of those that come out. */
function mix(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
