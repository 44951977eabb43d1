import type { AckLevel, LinkStatus, Scope } from '../../index.ts'

/** What the status line is made from. */
export interface Facts {
  readonly link: LinkStatus
  readonly isSynced: boolean
  readonly scope: Scope
  readonly ackLevel: AckLevel
  /** Edits not known to be saved. */
  readonly unsaved: number
  /** Nothing has been unsaved for a moment, so that the line does not flicker with every key. */
  readonly isSettled: boolean
  /** The browser, or the panel, says that there is no network. */
  readonly isOffline: boolean
  /** Edits outlive the tab. */
  readonly isKept: boolean
}

export interface Words {
  readonly state: 'connecting' | 'saving' | 'saved' | 'received' | 'offline' | 'read-only' | 'denied'
  readonly text: string
  /** When the next attempt begins, on the scale of `performance.now()`; null: none is waited for. */
  readonly retryAt: number | null
}

/** The one place that decides what the page says about saving. "Saved" is on the server's disk, and nothing else is. */
export function describe(facts: Facts): Words {
  const { link } = facts
  let words: Words
  switch (link.name) {
    case 'denied':
      words = say('denied', `No access: ${link.reason === '' ? 'the server refused' : link.reason}`)
      break
    case 'open':
      words = describeOpen(facts)
      break
    case 'connecting':
      words = link.attempt === 0 && facts.unsaved === 0 ? say('connecting', 'Connecting…') : say('offline', away(facts))
      break
    case 'waiting':
      words = { ...say('offline', away(facts)), retryAt: facts.isOffline ? null : link.retryAt }
      break
    case 'offline':
    case 'closed':
      words = say('offline', away(facts))
      break
  }
  return words
}

function describeOpen({ scope, isSynced, unsaved, isSettled, ackLevel }: Facts): Words {
  if (scope === 'readonly') return say('read-only', 'Read-only')
  if (unsaved > 0 || !isSettled) return say('saving', 'Saving…')
  if (!isSynced) return say('connecting', 'Connecting…')
  return ackLevel === 'durable' ? say('saved', 'Saved') : say('received', 'Received by the server')
}

/** `Offline: 3 changes kept on this device`. */
function away({ unsaved, isOffline, isKept }: Facts): string {
  if (unsaved === 0) return isOffline ? 'Offline' : 'Reconnecting'
  return `Offline: ${unsaved} ${unsaved === 1 ? 'change' : 'changes'} kept ${isKept ? 'on this device' : 'in this tab'}`
}

function say(state: Words['state'], text: string): Words {
  return { state, text, retryAt: null }
}
