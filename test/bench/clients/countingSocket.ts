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

const fields = ['bytesOut', 'bytesIn', 'framesOut', 'framesIn'] as const satisfies readonly (keyof Traffic)[]

/** `one + factor * other`. */
export function addTraffic(one: Traffic, other: Traffic, factor = 1): Traffic {
  const pairs = fields.map((field) => [field, one[field] + factor * other[field]])
  return Object.fromEntries(pairs) as Record<keyof Traffic, number>
}

export const noTraffic: Traffic = { bytesOut: 0, bytesIn: 0, framesOut: 0, framesIn: 0 }

/** The socket class that all clients are given: counts what passes. */
export class CountingSocket extends WebSocket {
  private static readonly all = new Set<CountingSocket>()
  private static closed = noTraffic
  framesOut = 0
  framesIn = 0

  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols)
    CountingSocket.all.add(this)
    this.on('message', () => this.framesIn++)
    this.on('close', () => {
      CountingSocket.all.delete(this)
      CountingSocket.closed = addTraffic(CountingSocket.closed, this.traffic)
    })
  }

  /** Of all sockets there have been. */
  static get total(): Traffic {
    return [...CountingSocket.all].reduce((sum, { traffic }) => addTraffic(sum, traffic), CountingSocket.closed)
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
