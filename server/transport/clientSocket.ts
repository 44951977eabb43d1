import type { RawData } from 'ws'
import { WebSocket } from 'ws'

/** Whoever handles what happens on a socket. */
export interface SocketEvents {
  onMessage(data: RawData, isBinary: boolean): void
  onPing(data: Buffer): void
  onPong(): void
  /** ws closes the socket itself, with the code that fits the error. */
  onError(error: Error): void
  onClose(code: number): void
}

/**
 * A WebSocket that passes its events on to one object. The listeners are functions of this module: a closure for each
 * event and socket would be half of what an idle connection costs us.
 */
export class ClientSocket extends WebSocket {
  #events: SocketEvents | null = null

  subscribe(events: SocketEvents): void {
    this.#events = events
    this.on('message', passMessage)
    this.on('ping', passPing)
    this.on('pong', passPong)
    this.on('error', passError)
    this.on('close', passClose)
  }

  get events(): SocketEvents | null {
    return this.#events
  }
}

function passMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  eventsOf(this)?.onMessage(data, isBinary)
}

function passPing(this: WebSocket, data: Buffer): void {
  eventsOf(this)?.onPing(data)
}

function passPong(this: WebSocket): void {
  eventsOf(this)?.onPong()
}

function passError(this: WebSocket, error: Error): void {
  eventsOf(this)?.onError(error)
}

function passClose(this: WebSocket, code: number): void {
  eventsOf(this)?.onClose(code)
}

function eventsOf(socket: WebSocket): SocketEvents | null {
  return socket instanceof ClientSocket ? socket.events : null
}
