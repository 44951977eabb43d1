import type { Room } from './room.ts'

/** Milliseconds a page waits for what the server or this device has before one may write into an empty one. */
const PATIENCE_MS = 1_500

/**
 * Resolves when there is something to show, or nothing is to be expected soon: in sync, found on this device, or no
 * connection. Whoever writes into an empty page before that has their words beside the old ones, not among them.
 */
export function whenReady({ provider, doc }: Room): Promise<void> {
  return new Promise((resolve) => {
    const patience = setTimeout(() => settle(), PATIENCE_MS)
    const onLink = (): void => {
      const { name } = provider.linkStatus
      if (name === 'waiting' || name === 'denied') settle()
    }
    const onSynced = (isSynced: boolean): void => {
      if (isSynced) settle()
    }
    const settle = (): void => {
      clearTimeout(patience)
      provider.off('synced', onSynced)
      provider.off('link', onLink)
      doc.off('update', settle)
      resolve()
    }
    provider.on('synced', onSynced)
    provider.on('link', onLink)
    doc.on('update', settle)
    if (provider.synced) settle()
  })
}
