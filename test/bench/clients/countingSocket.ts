import type { Socket } from 'node:net'
import { WebSocket } from 'ws'

export interface Traffic {
  /** Of the TCP connection, the upgrade request and all headers included. */
  readonly bytesOut: number
  readonly bytesIn: number
  /** WebSocket messages. */
  readonly framesOut: number
  readonly framesIn: number
}

/** The socket class that all clients are given: counts what passes. */
export class CountingSocket extends WebSocket {
  /** The one that was opened last. */
  static last: CountingSocket | null = null
  framesOut = 0
  framesIn = 0

  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols)
    CountingSocket.last = this
    this.on('message', () => this.framesIn++)
  }

  get traffic(): Traffic {
    // No part of its interface, but in all versions of ws: the only place where the headers are counted as well.
    const { _socket: socket } = this as unknown as { readonly _socket: Socket | null }
    const { framesOut, framesIn } = this
    return { bytesOut: socket?.bytesWritten ?? 0, bytesIn: socket?.bytesRead ?? 0, framesOut, framesIn }
  }

  override send(data: Parameters<WebSocket['send']>[0]): void {
    this.framesOut++
    super.send(data)
  }
}
