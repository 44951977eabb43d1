/**
 * Clocks above this are refused. A client adds one per change and never comes near; whoever says 2^53 - 1 for an id
 * would leave its owner, and us, no higher clock that receivers can decode.
 */
export const MAX_CLOCK = 2 ** 52

/** Raised states remembered per entry. The newest suffices unless its owner went away without having adopted the last. */
const MAX_RAISED = 8

/**
 * Who speaks for client ids: a session of this node, or another node (`RemoteNode`). Presence needs to know nothing else
 * about it.
 */
export interface Speaker {
  /**
   * Somebody else claims this client. False when who speaks for it is dead, and no longer does: asking closes a dead
   * socket (rule A5).
   *
   * @param now `Clock.now()`
   */
  challenge(client: number, now: number): Promise<boolean>
}

/** A state the room was told under a higher clock than its owner's, which the owner will therefore adopt and send back. */
interface Raised {
  readonly clock: number
  readonly json: string
}

export interface Present {
  readonly name: 'present'
  readonly owner: Speaker
  /** The clock the room knows. */
  readonly clock: number
  /** The clock last told to the whole room; `clock` is one ahead when somebody who came back was told alone. */
  readonly announced: number
  /**
   * The last clock the owner itself used; behind `clock` after a return, until the owner adopts the higher one. Of a
   * remote node's clients: the clock under which that node announced it last (N3).
   */
  readonly ownerClock: number
  /** A JSON object, as the owner wrote it; text, because a short string is a third of a byte array of its own. */
  readonly json: string
  /** Raised states that have not come back from the owner yet, oldest first. */
  readonly raised: readonly Raised[]
  readonly renewedAt: number
  /** When the room was last told of it, in the order of joining, telling and departing. */
  readonly turn: number
}

export interface Departed {
  readonly name: 'departed'
  readonly clock: number
  /** The node that spoke for it last; null: a session of this one. */
  readonly node: string | null
  /** The clock under which that node spoke of it last; `clock`, when a session of this node did. */
  readonly ownerClock: number
  readonly since: number
  /** When, in the same order. */
  readonly turn: number
}

export type Entry = Present | Departed

const none: readonly Raised[] = []

/** What the owner may send back after it has said something at `ownerClock` that the room is told as `told`. */
export function raisedStates(before: Entry | undefined, ownerClock: number, told: Raised): readonly Raised[] {
  if (told.clock === ownerClock) return none
  const earlier = before?.name === 'present' ? before.raised.filter((other) => other.clock > ownerClock) : none
  return [...earlier, told].slice(-MAX_RAISED)
}

/**
 * The entry after its owner has taken over a clock we gave its state, and says so, as clients send back all they are
 * told; null when this is no such echo. It is no news for the room: told again under yet another clock, it would come
 * back again, for ever.
 */
export function adopted(entry: Present, clock: number, json: string, now: number): Present | null {
  if (clock <= entry.ownerClock) return null
  if (!entry.raised.some((raised) => raised.clock === clock && raised.json === json)) return null
  const raised = entry.raised.filter((other) => other.clock > clock)
  return { ...entry, ownerClock: clock, raised: raised.length === 0 ? none : raised, renewedAt: now }
}

/**
 * The entry under a clock one higher, for somebody who has come back, and whether everybody has to be told. Null: not
 * again before the owner is heard. An owner far behind the room could adopt a state older than its own, and somebody who
 * comes and goes all the time would cost the room a frame each time.
 */
export function raisedOnce(entry: Present): { readonly entry: Present; readonly tell: boolean } | null {
  const clock = entry.clock + 1
  if (entry.clock === entry.ownerClock) return { entry: { ...entry, clock }, tell: false }
  // Raised for the whole room before, and perhaps adopted: the owner has to hear of the second time at once.
  if (entry.clock !== entry.ownerClock + 1 || entry.clock !== entry.announced) return null
  const raised = [...entry.raised, { clock, json: entry.json }].slice(-MAX_RAISED)
  return { entry: { ...entry, clock, announced: clock, raised }, tell: true }
}
