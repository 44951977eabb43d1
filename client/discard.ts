// oxlint-disable unicorn/prefer-add-event-listener -- properties are what all polyfills have, and can be taken away as one
import type { SocketLike } from './environment.ts'

/** Ends a socket nobody listens to any more, if there is one. Without a handler for its errors, Node would rethrow them. */
export function discard(socket: SocketLike | null, code?: number): void {
  if (!socket) return
  socket.onopen = null
  socket.onmessage = null
  socket.onclose = null
  socket.onerror = () => undefined
  socket.close(code)
}
