import type { Speaker } from './presenceEntry.ts'

/**
 * Milliseconds another node has to find out whether its client is there: it pings the socket and waits 5 s for the
 * answer, and has to be heard after that. Looked at once a second, so that a claim is decided within 7 s.
 */
const CHALLENGE_TIMEOUT_MS = 6_000

interface Question {
  readonly since: number
  /** The node has said since then that the client is its own. */
  confirmed: boolean
  readonly waiting: ((alive: boolean) => void)[]
}

/** Another node, as the owner of the clients whose sockets it holds. */
export class RemoteNode implements Speaker {
  /** `Engine.node`. */
  readonly name: string
  /** The clients it speaks for, as far as we know. */
  readonly clients = new Set<number>()
  readonly #questions = new Map<number, Question>()
  readonly #ask: (node: RemoteNode, client: number) => void

  /** @param ask asks the node whether the client's socket is alive; what comes of it shows in what the node says next */
  constructor(name: string, ask: (node: RemoteNode, client: number) => void) {
    this.name = name
    this.#ask = ask
  }

  /** Clients it was asked about and whose claims are not decided yet. */
  get asked(): Iterable<number> {
    return this.#questions.keys()
  }

  get isIdle(): boolean {
    return this.clients.size === 0 && this.#questions.size === 0
  }

  challenge(client: number, now: number): Promise<boolean> {
    return new Promise((resolve) => {
      const question = this.#questions.get(client)
      if (question === undefined) this.#begin(client, { since: now, confirmed: false, waiting: [resolve] })
      else question.waiting.push(resolve)
    })
  }

  /** The node says that the client is (still) its own. */
  confirm(client: number): void {
    this.clients.add(client)
    const question = this.#questions.get(client)
    if (question !== undefined) question.confirmed = true
  }

  /** The client is not its own any more. */
  lose(client: number): void {
    this.clients.delete(client)
    this.#settle(client, false)
  }

  /** Decides for the node where it has confirmed; the clients of which it said nothing are returned. */
  overdue(now: number): readonly number[] {
    const silent: number[] = []
    for (const [client, { since, confirmed }] of this.#questions) {
      if (now - since < CHALLENGE_TIMEOUT_MS) continue
      if (confirmed) this.#settle(client, true)
      else silent.push(client)
    }
    return silent
  }

  #begin(client: number, question: Question): void {
    this.#questions.set(client, question)
    this.#ask(this, client)
  }

  #settle(client: number, alive: boolean): void {
    const question = this.#questions.get(client)
    this.#questions.delete(client)
    for (const resolve of question?.waiting ?? []) resolve(alive)
  }
}
