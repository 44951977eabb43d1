import { Extension } from '@tiptap/core'
import type { Plugin } from '@tiptap/pm/state'
import { yCursorPlugin } from '@tiptap/y-tiptap'
import type { Awareness } from 'y-protocols/awareness'
import { buildCaret } from '../people/caret.ts'
import { NEUTRAL } from '../people/palette.ts'
import { readPerson } from '../people/person.ts'

interface CaretOptions {
  readonly awareness: Awareness
}

/** Carets and selections of everyone else. */
export const Carets = Extension.create<CaretOptions>({
  name: 'carets',
  priority: 999, // after Collaboration, whose state it reads

  addProseMirrorPlugins(): Plugin[] {
    const { awareness } = this.options
    const plugin = yCursorPlugin(awareness, {
      awarenessStateFilter: (own: number, client: number, state: unknown) => client !== own && hasCursor(state),
      cursorBuilder: (user: unknown, client: number) => buildCaret(readPerson(user), client),
      selectionBuilder: (user: unknown) => ({ style: `background-color: ${readPerson(user)?.color ?? NEUTRAL}47` }),
    }) as Plugin
    return [plugin]
  },
})

/** Anybody may put anything into their presence; what is not a cursor would make the binding throw. */
function hasCursor(state: unknown): boolean {
  if (typeof state !== 'object' || state === null) return false
  const { cursor, user } = state as Record<string, unknown>
  if (readPerson(user) === undefined || typeof cursor !== 'object' || cursor === null) return false
  const { anchor, head } = cursor as Record<string, unknown>
  return isPosition(anchor) && isPosition(head)
}

function isPosition(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { type, tname, item } = value as Record<string, unknown>
  const isNamed = tname === undefined || tname === null || typeof tname === 'string'
  return isNamed && [type, item].every((id) => id === undefined || id === null || isId(id))
}

function isId(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { client, clock } = value as Record<string, unknown>
  return Number.isSafeInteger(client) && Number.isSafeInteger(clock)
}
