import type { Room } from './room.ts'

/** Milliseconds a page waits for what the server or this device has before one may write into an empty one. */
const PATIENCE_MS = 1_500

/**
 * Resolves when there is something to show, or nothing is to be expected soon: in sync, found on this device, or no
 * connection. Whoever writes into an empty page before that has their words beside the old ones, not among them. What the
 * server sends before it is done is not shown yet: it may send a document edit by edit, each of which would be painted.
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
    const onUpdate = (_update: Uint8Array, origin: unknown): void => {
      if (origin !== provider) settle()
    }
    const settle = (): void => {
      clearTimeout(patience)
      provider.off('synced', onSynced)
      provider.off('link', onLink)
      doc.off('update', onUpdate)
      resolve()
    }
    provider.on('synced', onSynced)
    provider.on('link', onLink)
    doc.on('update', onUpdate)
    if (provider.synced) settle()
  })
}
