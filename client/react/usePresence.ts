import { useCallback, useMemo, useSyncExternalStore } from 'react'
import type { Awareness } from 'y-protocols/awareness'

/** Somebody in the room. */
export interface Person<State> {
  /** The client id of their Yjs document: one per open page. */
  readonly id: number
  readonly state: State
}

export interface Presence<State> {
  /** What we say about ourselves; null when nothing. */
  readonly self: State | null
  /** Everybody else, in the order of their ids. */
  readonly others: readonly Person<State>[]
  /** Changes some fields of what we say about ourselves, and leaves the others. */
  readonly update: (fields: Partial<State>) => void
}

type Seen<State> = Omit<Presence<State>, 'update'>

const NOBODY: Seen<never> = { self: null, others: [] }
const nobody = (): Seen<never> => NOBODY

/**
 * Who is here. A new object whenever somebody's state changes; renewals that change nothing do not render.
 *
 * @typeParam State what people say about themselves. It comes from their programs, unchecked: treat it so.
 * @param source anything with presence, such as a provider; null: nobody is here yet
 */
export function usePresence<State extends object = Record<string, unknown>>(
  source: { readonly awareness: Awareness } | null,
): Presence<State> {
  const awareness = source?.awareness ?? null
  const view = useMemo(() => new View<State>(awareness), [awareness])
  const { self, others } = useSyncExternalStore<Seen<State>>(view.subscribe, view.read, nobody)
  const update = useCallback(
    (fields: Partial<State>) => {
      if (awareness !== null) awareness.setLocalState({ ...awareness.getLocalState(), ...fields })
    },
    [awareness],
  )
  return useMemo(() => ({ self, others, update }), [self, others, update])
}

/** Presence as values that stay the same until they change. */
class View<State> {
  readonly #awareness: Awareness | null
  #seen: Seen<State>

  constructor(awareness: Awareness | null) {
    this.#awareness = awareness
    this.#seen = this.#look()
  }

  readonly read = (): Seen<State> => this.#seen

  readonly subscribe = (listener: () => void): (() => void) => {
    const onChange = (): void => {
      this.#seen = this.#look()
      listener()
    }
    this.#awareness?.on('change', onChange)
    onChange() // what changed between the render and now has told nobody
    return () => this.#awareness?.off('change', onChange)
  }

  #look(): Seen<State> {
    return this.#awareness === null ? NOBODY : look(this.#awareness)
  }
}

function look<State>(awareness: Awareness): Seen<State> {
  const others: Person<State>[] = []
  for (const [id, state] of awareness.getStates()) {
    // Decoded JSON of other people's making: the type is what the caller expects of them.
    if (id !== awareness.clientID) others.push({ id, state: state as State })
  }
  others.sort((left, right) => left.id - right.id)
  return { self: awareness.getLocalState() as State | null, others }
}
