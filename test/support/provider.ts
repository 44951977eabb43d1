import * as Y from 'yjs'
import type { ProviderOptions } from '../../client/index.ts'
import { WebsocketProvider } from '../../client/index.ts'

/** A provider with a new document, which comes back quickly; `cleanups` gets what ends both. */
export function openProvider(
  cleanups: (() => unknown)[],
  url: string,
  room: string,
  options: ProviderOptions<WebsocketProvider> = {},
): WebsocketProvider {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url, room, doc, { disableBc: true, maxBackoffTime: 100, ...options })
  cleanups.push(() => {
    provider.destroy()
    doc.destroy()
  })
  return provider
}
