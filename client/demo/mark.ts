import type { HocuspocusProvider } from 'hocuspocus-provider-4'

/** Where the page stands with the server. */
type Link =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  | { readonly state: 'lost' }
  | { readonly state: 'refused'; readonly reason: string }

interface Words {
  readonly state: 'connecting' | 'saving' | 'saved' | 'offline' | 'refused'
  readonly text: string
}

/** Milliseconds without an unacknowledged change before the mark says "Saved": it must not flicker with every key. */
const SETTLE_MS = 300

/** Shows in words whether what was written here is on the server's disk, and warns before the tab is closed too early. */
export function watchSaving(provider: HocuspocusProvider, mark: HTMLElement, announce: (text: string) => void): void {
  let link: Link = { state: 'connecting' }
  let dirty = false
  let settling: ReturnType<typeof setTimeout> | undefined

  countExactly(provider)
  const show = (): void => {
    const words = describe(link, dirty, provider.isSynced)
    if (words.text === mark.textContent) return
    if (words.state === 'offline' || words.state === 'refused') announce(words.text)
    else if (mark.dataset['state'] === 'offline') announce('Connected again')
    mark.dataset['state'] = words.state
    mark.textContent = words.text
  }
  const change = (next: Link): void => {
    if (link.state !== 'refused') link = next
    show()
  }
  const settle = (): void => {
    clearTimeout(settling)
    if (dirty && link.state === 'open' && provider.unsyncedChanges === 0) {
      settling = setTimeout(() => {
        dirty = false
        show()
      }, SETTLE_MS)
    }
    show()
  }

  provider.document.on('update', (_update: Uint8Array, origin: unknown) => {
    if (origin === provider) return
    dirty = true
    settle()
  })
  provider.on('unsyncedChanges', settle)
  provider.on('synced', settle)
  provider.on('open', () => {
    change({ state: 'open' })
  })
  provider.on('disconnect', () => {
    change({ state: 'lost' })
    settle()
  })
  provider.on('authenticationFailed', ({ reason }: { reason: string }) => {
    change({ state: 'refused', reason })
  })
  addEventListener('beforeunload', (event) => {
    if (dirty) event.preventDefault()
  })
}

/**
 * Makes `unsyncedChanges` reach zero only when the server has acknowledged everything. Left alone, the provider queues
 * each edit made offline, yet on reconnection counts one change however many are queued: the first acknowledgement would
 * look like the last. So edits made offline are not handed to it; they travel in the one answer to the server's request
 * for what it lacks, which is the change it counts.
 */
function countExactly(provider: HocuspocusProvider): void {
  const stop = (): void => {
    provider.document.off('update', provider.boundDocumentUpdateHandler)
  }
  stop()
  provider.on('open', () => {
    provider.document.on('update', provider.boundDocumentUpdateHandler)
  })
  provider.on('disconnect', stop)
}

function describe(link: Link, dirty: boolean, synced: boolean): Words {
  let words: Words
  switch (link.state) {
    case 'connecting':
      words = { state: 'connecting', text: 'Connecting…' }
      break
    case 'open':
      words = synced ? { state: 'saved', text: 'Saved' } : { state: 'connecting', text: 'Connecting…' }
      if (dirty) words = { state: 'saving', text: 'Saving…' }
      break
    case 'lost':
      words = { state: 'offline', text: 'Offline — changes are kept in this tab' }
      break
    case 'refused':
      words = { state: 'refused', text: `No access: ${link.reason}` }
      break
  }
  return words
}
