import type { Limits } from '../../shared/limits.ts'
import type { PresenceState } from '../../shared/wire/awareness.ts'
import type { Entry, Present } from './presenceEntry.ts'
import { MAX_CLOCK } from './presenceEntry.ts'
import { isGone, isPresentable, textOf } from './presenceJson.ts'
import { isOurs, MAX_LEAP } from './presenceTable.ts'
import type { PresenceTable } from './presenceTable.ts'
import { RemoteNode } from './remoteNode.ts'

/** One message of one node about its own clients. */
interface Announcement {
  readonly node: RemoteNode
  /** Whether it names all of them. */
  readonly complete: boolean
  readonly now: number
}

/**
 * Milliseconds after a client has come from another node during which everybody on other nodes may be new to this one:
 * the document was loaded for it, and the answers to `who` are under way, or were lost and come with the next lists. So
 * many after the loading, they may have come before it spoke.
 */
const NEWCOMER_MS = 15_000

/** What is to reach the other nodes at once, rather than with the next beat. */
export interface Outlet {
  /**
   * The node is to find out whether the socket of its client is alive; then to tell of it again, above this clock, under
   * which it is known here; or that it is gone.
   */
  ask(node: string, client: number, clock: number): void
  /** `takeRetold` has something. */
  retell(): void
}

const nobody: Outlet = { ask: () => {}, retell: () => {} }

/**
 * What other nodes say about the clients connected to them. Each node alone speaks for its own, under the clocks its own
 * room is told; the room here may know a higher one, and is told above that, as after a return (A6). Such a raise is told
 * to the other nodes, so that whoever moves from one to another knows no clock that is unknown there.
 *
 * A node's messages are to be given in the order in which it sent them, without repetition; they may have holes.
 */
export class RemotePresence {
  readonly #table: PresenceTable
  readonly #limits: Limits
  readonly #nodes = new Map<string, RemoteNode>()
  /** Clients of ours whose sockets have been asked for a sign of life since the last sweep. */
  readonly #challenged = new Set<number>()
  #outlet = nobody
  #sharedAt = -Infinity
  #newcomerAt = -Infinity

  constructor(table: PresenceTable, limits: Limits) {
    this.#table = table
    this.#limits = limits
  }

  /** From now on what concerns other nodes is kept until it is taken. */
  share(outlet: Outlet, now: number): void {
    this.#outlet = outlet
    this.#sharedAt = now
    this.#table.share()
  }

  /** What has changed among a node's clients; `null` = gone. Of those not named nothing is said. */
  hear(name: string, states: readonly PresenceState[], now: number): void {
    const node = this.#node(name)
    for (const state of states) this.#apply({ node, complete: false, now }, state)
    this.#forgetIdle(node)
  }

  /**
   * A client nobody here has heard of has come with a used clock: from another node, perhaps. Then it keeps the clocks of
   * those it saw there but has dropped their states, and is told of them above these (A6).
   *
   * @returns whether that holds for those who are known already, too
   */
  newcomer(now: number): boolean {
    this.#newcomerAt = now
    return now - this.#sharedAt < NEWCOMER_MS
  }

  /** All clients of a node; who is not among them is gone. */
  hearAll(name: string, states: readonly PresenceState[], now: number): void {
    const node = this.#node(name)
    const named = new Set(states.map(({ client }) => client))
    for (const client of node.clients) if (!named.has(client)) this.#table.depart(client, now)
    for (const state of states) this.#apply({ node, complete: true, now }, state)
    this.#forgetIdle(node)
  }

  /** The clocks under which somebody on another node knows these clients. */
  hearRaised(states: readonly PresenceState[]): void {
    for (const { client, clock } of states) if (clock <= MAX_CLOCK) this.#table.lift(client, clock)
  }

  /** The node is gone, and so are all it spoke for. */
  leftNode(name: string, now: number): void {
    for (const client of this.#nodes.get(name)?.clients ?? []) this.#table.depart(client, now)
    this.#nodes.delete(name)
  }

  /**
   * On another node somebody claims this client, or it seems to be gone: its socket is asked for a sign of life. If it
   * gives one, the client is told again, not below the clock the other node knows. False: it is not ours.
   */
  challenged(client: number, clock: number, now: number): boolean {
    const entry = this.#table.get(client)
    if (entry?.name !== 'present' || !isOurs(entry)) return false
    this.#challengeOwn(entry, { client, clock }, now)
    return true
  }

  /** To be called every second: decides claims whose time is over. Who does not answer for its client is gone. */
  sweep(now: number): void {
    this.#challenged.clear()
    for (const node of this.#nodes.values()) {
      for (const client of node.overdue(now)) {
        this.#table.depart(client, now)
        node.lose(client)
      }
      this.#forgetIdle(node)
    }
  }

  /** Puts every claim that is not decided once more: the question or the answer may have been lost. */
  askAgain(): void {
    for (const node of this.#nodes.values()) for (const client of node.asked) this.#question(node, client)
  }

  /** `Presence.takeChanges` without what other nodes have said; to be called right after it. Null: nothing is left. */
  takeOwnChanges(): Uint8Array | null {
    return this.#table.takeOwnChanges()
  }

  /** What other nodes have to be told again about clients of ours; null: nothing. */
  takeRetold(): Uint8Array | null {
    return this.#table.takeRetold()
  }

  /** For `hearRaised` of the other nodes: states without JSON; null when there are none. */
  takeRaised(): Uint8Array | null {
    return this.#table.takeRaised()
  }

  /** All clients of ours, for `hearAll` of the other nodes; there may be none. */
  encodeOwn(): Uint8Array {
    return this.#table.encodeOwn()
  }

  #question(node: RemoteNode, client: number): void {
    this.#outlet.ask(node.name, client, this.#table.get(client)?.clock ?? 0)
  }

  #apply(said: Announcement, state: PresenceState): void {
    if (state.clock > MAX_CLOCK) return
    const entry = this.#table.get(state.client)
    if (entry?.name === 'present' && isOurs(entry)) return this.#rival(entry, state, said.now)
    this.#take(said, entry, state)
  }

  #take(said: Announcement, entry: Entry | undefined, state: PresenceState): void {
    if (isGone(state.json)) this.#goodbye(said, entry, state)
    else if (entry?.name === 'present' && entry.owner === said.node) this.#renew(said, entry, state)
    else if (isNews(said.node, entry, state)) this.#hold(said, entry, state)
    else return this.#doubt(said.node, entry, state)
    const after = this.#table.get(state.client)
    if (after !== undefined && after.clock > state.clock) this.#table.markRaised(state.client)
  }

  /** Gone, and said to be there under an older clock: a dead socket, or one that never heard of the clock it left under. */
  #doubt(node: RemoteNode, entry: Entry | undefined, { client }: PresenceState): void {
    if (entry?.name === 'departed') this.#question(node, client)
  }

  /**
   * Another node speaks for a client of ours (A3). Ours may be a dead socket: asked, it closes. If it is not, who has heard
   * over there that the client is gone has to be told that it is here.
   */
  #rival(entry: Present, state: PresenceState, now: number): void {
    if (state.clock > entry.clock || isGone(state.json)) this.#challengeOwn(entry, state, now)
  }

  /**
   * Once a second at most, however often we are asked. Not before it has answered its state may look as new as what
   * others know: of a dead socket it is older.
   */
  #challengeOwn({ owner }: Present, { client, clock }: Pick<PresenceState, 'client' | 'clock'>, now: number): void {
    if (this.#challenged.has(client)) return
    this.#challenged.add(client)
    void owner.challenge(client, now).then((alive) => {
      if (!alive) return
      this.#table.lift(client, clock)
      this.#table.retell(client)
      this.#outlet.retell()
    })
  }

  #goodbye({ node, now }: Announcement, entry: Entry | undefined, { client, clock }: PresenceState): void {
    if (entry?.name === 'present') {
      if (entry.owner === node) this.#table.depart(client, now, clock)
    } else if (entry !== undefined) this.#table.lift(client, clock)
    // Unknown: should it come here, it has to be raised above what it left as.
    else this.#remember(client, clock, { node, now })
  }

  #remember(client: number, clock: number, { node, now }: Pick<Announcement, 'node' | 'now'>): void {
    const turn = this.#table.nextTurn()
    this.#table.remember(client, { name: 'departed', clock, node: node.name, ownerClock: clock, since: now, turn })
  }

  #renew(said: Announcement, entry: Present, state: PresenceState): void {
    const { client, clock } = state
    said.node.confirm(client)
    // Under a clock we have raised it to ourselves, it is no news: its owner has adopted that.
    const adopts = clock > entry.ownerClock && clock <= entry.clock && textOf(state.json) === entry.json
    if (clock !== entry.ownerClock && !adopts) return this.#hold(said, entry, state)
    this.#table.amend(client, { ...entry, ownerClock: clock, renewedAt: said.now })
  }

  #hold({ node, complete, now }: Announcement, before: Entry | undefined, state: PresenceState): void {
    if (!isPresentable(state.json, this.#limits)) return
    const raised = complete && now - this.#newcomerAt < NEWCOMER_MS ? state.clock + 1 : state.clock
    const clock = before === undefined ? raised : Math.max(state.clock, before.clock + 1)
    this.#table.hold(state.client, {
      name: 'present',
      owner: node,
      clock,
      announced: clock,
      ownerClock: state.clock,
      json: textOf(state.json),
      raised: [],
      renewedAt: now,
      turn: this.#table.nextTurn(),
    })
  }

  #node(name: string): RemoteNode {
    const known = this.#nodes.get(name)
    if (known !== undefined) return known
    const node = new RemoteNode(name, (asked, client) => this.#question(asked, client))
    this.#nodes.set(name, node)
    return node
  }

  #forgetIdle(node: RemoteNode): void {
    if (node.isIdle) this.#nodes.delete(node.name)
  }
}

/** Whether what a node says of a client it was not known to speak for is newer than what we know of it. */
function isNews(node: RemoteNode, entry: Entry | undefined, { clock }: PresenceState): boolean {
  if (entry === undefined) return true
  if (entry.name === 'present') return clock > entry.ownerClock
  return entry.node === node.name || clock >= entry.ownerClock || entry.ownerClock - clock > MAX_LEAP
}
