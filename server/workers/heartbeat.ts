import type { Clock } from '../clock.ts'

/** Milliseconds between two questions to a worker. */
export const BEAT_MS = 500
/**
 * Questions in a row without an answer after which a worker gets no new connections: 5 s. A worker that works is away
 * for less, be it for garbage or for a big document: the transport takes 3 s for a stall (T9), and a busy machine gets
 * some more. A mistake costs little: some documents are in two workers for a while.
 */
const SILENT_BEATS = 10
/** And after which it is ended: 30 s. By then y-websocket's clients, too, have left a connection that is silent. */
const LOST_BEATS = 60

export type Pulse = 'answering' | 'silent' | 'lost'

export interface HeartbeatOptions {
  readonly clock: Clock
  /** Asks the worker something that it will answer. */
  readonly ask: () => void
  readonly onChange: (pulse: Pulse) => void
  /** Called with every beat that finds it silent. */
  readonly onSilent: () => void
}

type State =
  /** There is no process to ask. */
  | { readonly name: 'resting' }
  | { readonly name: 'answering' | 'silent'; readonly cancel: () => void }
  /** It is not asked any more. */
  | { readonly name: 'lost' }

/**
 * Whether a worker answers. Its silence is counted in questions, not in seconds: a primary that was stopped or asleep
 * itself has asked nothing in the meantime, and reads what has been answered before it asks for the second time.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  #state: State = { name: 'resting' }
  /** Questions since it was last heard. */
  #unanswered = 0

  constructor(options: HeartbeatOptions) {
    this.#options = options
  }

  get answers(): boolean {
    return this.#state.name === 'resting' || this.#state.name === 'answering'
  }

  start(): void {
    this.stop()
    this.#unanswered = 0
    this.#ask('answering')
  }

  stop(): void {
    if ('cancel' in this.#state) this.#state.cancel()
    this.#state = { name: 'resting' }
  }

  /** The worker has said something, whatever it is. */
  heard(): void {
    this.#unanswered = 0
    if (this.#state.name !== 'silent') return
    this.#state = { ...this.#state, name: 'answering' }
    this.#options.onChange('answering')
  }

  #beat(before: Pulse): void {
    const pulse = pulseAfter(this.#unanswered)
    if (pulse === 'lost') this.#state = { name: 'lost' }
    else this.#ask(pulse)
    if (pulse !== before) this.#options.onChange(pulse)
    if (pulse === 'silent') this.#options.onSilent()
  }

  #ask(name: 'answering' | 'silent'): void {
    const cancel = this.#options.clock.after(BEAT_MS, () => {
      if (this.#state.name === 'answering' || this.#state.name === 'silent') this.#beat(this.#state.name)
    })
    this.#state = { name, cancel }
    this.#unanswered += 1
    this.#options.ask()
  }
}

function pulseAfter(unanswered: number): Pulse {
  if (unanswered >= LOST_BEATS) return 'lost'
  return unanswered >= SILENT_BEATS ? 'silent' : 'answering'
}
