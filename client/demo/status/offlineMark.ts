import type { Room } from '../room.ts'
import { icon } from '../ui/icon.ts'

/**
 * Says that this document can be opened here without a connection: the document is on this device, and so is the page. Says
 * nothing where one of the two is not, as in a private window or over plain HTTP from another machine.
 */
export function markOffline({ provider, isKept }: Room, mark: HTMLElement): void {
  if (!isKept || !('serviceWorker' in navigator)) return
  mark.prepend(icon('kept'))
  let isPageKept = false
  let isDocumentKept = false
  const show = (): void => {
    mark.hidden = !isPageKept || !isDocumentKept
  }
  provider.on('synced', (isSynced) => {
    isDocumentKept ||= isSynced
    show()
  })
  provider.on('error', ({ code }) => {
    if (code === 'DEVICE_STORE_FAILED') mark.remove()
  })
  // Never, where there is no worker to wait for.
  void navigator.serviceWorker.ready.then(() => {
    isPageKept = true
    show()
  })
}
