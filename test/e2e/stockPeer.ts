import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { expect } from 'vitest'
import { WAIT_MS } from './demo.ts'

/** A stock y-websocket provider in this process, in sync. The caller destroys it. */
export async function joinWithStockPeer(origin: string, room: string): Promise<WebsocketProvider> {
  const polyfill = WebSocket as unknown as typeof globalThis.WebSocket
  const url = origin.replace('http', 'ws')
  const provider = new WebsocketProvider(url, room, new Y.Doc(), { WebSocketPolyfill: polyfill })
  await expect.poll(() => provider.synced, { timeout: WAIT_MS }).toBe(true)
  return provider
}
