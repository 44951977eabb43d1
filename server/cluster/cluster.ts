import { readAwareness } from '../../shared/wire/awareness.ts'
import type { Clock } from '../clock.ts'
import type { Engine, Message, Sink, Subscription } from '../engine/engine.ts'
import type { Observer } from '../observer.ts'
import type { Content, Kind, Status } from './messages.ts'
import { decode, encode, isKind, MAX_REASON } from './messages.ts'

/** The control channel is a document nobody can name: names hold no control characters. It has no log. */
const CONTROL = '\u0000cluster'
/** Milliseconds between two status messages, and how long a node counts that is not heard of. */
const STATUS_EVERY_MS = 5_000
const FORGET_AFTER_MS = 16_000
/** Milliseconds a question to the others may take. */
const ANSWER_WITHIN_MS = 1_000

/** What one node says of itself. */
export interface NodeStatus extends Status {
  /** `Engine.node`. */
  readonly node: string
}

/** Somebody in a document. */
export interface Collaborator {
  /** The Yjs client id. */
  readonly client: number
  /** What the client says of itself: a JSON object, by convention with `user: { name, color }`. */
  readonly state: unknown
}

/** What this node can do and tell; see `ClusterNode`. */
export interface LocalNode {
  readonly status: () => Status
  /** Closes all sessions of a document here. */
  readonly disconnect: (document: string, reason: string) => void
  /** Everybody in a document, wherever they are connected; null when it is not open here. */
  readonly presence: (document: string) => Uint8Array | null
}

/** All nodes that share one storage, seen from one of them. */
export interface Cluster {
  /** All nodes heard of in the last 16 seconds, this one first. */
  nodes(): readonly NodeStatus[]
  /** Sums over all nodes. A document open on two nodes counts twice. */
  counts(): { readonly nodes: number; readonly connections: number; readonly documents: number }
  /**
   * Closes every connection to the document, on all nodes, with 4500; clients come back on their own. Best effort: a node
   * that cannot be reached just now is not told later.
   */
  disconnect(document: string, reason?: string): void
  /** Who is in a document, on whatever nodes; [] when no node that answers within a second has it open. */
  presence(document: string): Promise<readonly Collaborator[]>
}

export interface ClusterOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly observer: Observer
  readonly local: LocalNode
}

interface Known {
  readonly status: NodeStatus
  readonly heardAt: number
}

interface Joined {
  readonly name: 'joined'
  subscription: Subscription
  cancel: () => void
}

type State = { readonly name: 'apart' } | Joined | { readonly name: 'left' }

/** This node's part in the cluster: says how it is every 5 s, and hears the others. */
export class ClusterNode implements Cluster, Sink {
  readonly #options: ClusterOptions
  readonly #others = new Map<string, Known>()
  readonly #questions = new Map<number, (states: Uint8Array | null) => void>()
  #state: State = { name: 'apart' }
  #asked = 0

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /** The storage is open. */
  join(): void {
    if (this.#state.name !== 'apart') return
    this.#state = { name: 'joined', subscription: this.#subscribe(), cancel: () => {} }
    this.#tell('ask-status', {})
    this.#announce(this.#state)
  }

  /** For good. */
  leave(): void {
    if (this.#state.name === 'joined') {
      this.#state.cancel()
      this.#state.subscription.end()
    }
    this.#state = { name: 'left' }
    for (const answer of this.#questions.values()) answer(null)
  }

  nodes(): readonly NodeStatus[] {
    const { engine, clock, local } = this.#options
    const now = clock.now()
    for (const [node, { heardAt }] of this.#others) if (now - heardAt > FORGET_AFTER_MS) this.#others.delete(node)
    const others = Array.from(this.#others.values(), ({ status }) => status)
    return this.#state.name !== 'joined' ? [] : [{ node: engine.node, ...local.status() }, ...others]
  }

  counts(): { readonly nodes: number; readonly connections: number; readonly documents: number } {
    const nodes = this.nodes()
    const sum = (of: 'connections' | 'documents'): number => nodes.reduce((total, node) => total + node[of], 0)
    return { nodes: nodes.length, connections: sum('connections'), documents: sum('documents') }
  }

  disconnect(document: string, reason = 'disconnected by the operator'): void {
    this.#tell('disconnect', { document, reason: reason.slice(0, MAX_REASON) })
    this.#options.local.disconnect(document, reason)
  }

  async presence(document: string): Promise<readonly Collaborator[]> {
    const here = this.#options.local.presence(document)
    const states = here ?? (this.#others.size === 0 ? null : await this.#ask(document))
    if (states === null) return []
    return readAwareness(states).map(({ client, json }) => {
      const state: unknown = JSON.parse(Buffer.from(json).toString())
      return { client, state }
    })
  }

  entry(): void {
    // The control channel has no log.
  }

  message({ from, kind, bytes }: Message): void {
    if (!isKind(kind)) return // of a newer node
    const content = decode(kind, bytes)
    if (content === null) this.#options.observer.observe({ type: 'badMessage', document: CONTROL, kind })
    else this.#handle(from, { kind, content } as Received)
  }

  stale(): void {
    if (this.#state.name !== 'joined') return
    this.#state.subscription.end()
    this.#state.subscription = this.#subscribe()
  }

  left(node: string): void {
    this.#others.delete(node)
  }

  #subscribe(): Subscription {
    return this.#options.engine.subscribe(CONTROL, null, this)
  }

  #announce(joined: Joined): void {
    const { clock, local } = this.#options
    this.#tell('status', local.status())
    joined.cancel = clock.after(STATUS_EVERY_MS, () => this.#announce(joined))
  }

  #tell<K extends Kind>(kind: K, content: Content<K>): void {
    this.#options.engine.publish(CONTROL, kind, encode(content))
  }

  #handle(from: string, received: Received): void {
    const { clock, local, engine } = this.#options
    switch (received.kind) {
      case 'status':
        this.#others.set(from, { status: { node: from, ...received.content }, heardAt: clock.now() })
        return
      case 'ask-status':
        return this.#tell('status', local.status())
      case 'disconnect':
        return local.disconnect(received.content.document, received.content.reason)
      case 'ask-presence':
        return this.#answer(from, received.content)
      case 'presence':
        if (received.content.to === engine.node) this.#answered(received.content)
    }
  }

  #answer(to: string, { id, document }: Content<'ask-presence'>): void {
    const states = this.#options.local.presence(document)
    // Who has the document open knows of everybody: nodes that do not keep silent.
    if (states !== null) this.#tell('presence', { id, to, states: Buffer.from(states).toString('base64') })
  }

  #ask(document: string): Promise<Uint8Array | null> {
    const id = (this.#asked += 1)
    return new Promise((resolve) => {
      const settle = (states: Uint8Array | null): void => {
        cancel()
        this.#questions.delete(id)
        resolve(states)
      }
      const cancel = this.#options.clock.after(ANSWER_WITHIN_MS, () => settle(null))
      this.#questions.set(id, settle)
      this.#tell('ask-presence', { id, document })
    })
  }

  #answered({ id, states }: Content<'presence'>): void {
    this.#questions.get(id)?.(states === null ? null : Buffer.from(states, 'base64'))
  }
}

type Received = { readonly [K in Kind]: { readonly kind: K; readonly content: Content<K> } }[Kind]
