import type { Socket } from 'node:net'
import { DelayLine } from '../delayLine.ts'
import type { DelayLineOptions } from '../delayLine.ts'
import type { ProxyConditions } from './proxyConditions.ts'

/** Directions in which nothing arrives any more. */
export type Silence = 'up' | 'down' | 'both'

export interface ProxiedConnectionOptions extends DelayLineOptions {
  readonly conditions: () => ProxyConditions
  /** Both sockets are closed. */
  readonly onGone: () => void
}

/** Bytes one direction holds before its sender is not read from any more, as a router with a full buffer. */
const MAX_BYTES_UNDER_WAY = 1024 * 1024

/** One TCP connection through a proxy: two sockets, and a line in each direction. */
export class ProxiedConnection {
  readonly #lanes: { readonly up: Lane; readonly down: Lane }

  constructor(client: Socket, upstream: Socket, options: ProxiedConnectionOptions) {
    const cut = (): void => this.cut()
    this.#lanes = { up: new Lane(client, upstream, options, cut), down: new Lane(upstream, client, options, cut) }
    let open = 2
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true) // pieces are meant to stay pieces
      socket.on('error', () => undefined) // 'close' follows
      socket.on('close', () => {
        open -= 1
        if (open === 0) options.onGone()
      })
    }
  }

  /** Resets both sockets. */
  cut(): void {
    for (const lane of [this.#lanes.up, this.#lanes.down]) lane.reset()
  }

  goSilent(silence: Silence): void {
    if (silence !== 'down') this.#lanes.up.goSilent()
    if (silence !== 'up') this.#lanes.down.goSilent()
  }
}

/** One direction: read, delayed, written. */
class Lane {
  readonly #from: Socket
  readonly #to: Socket
  readonly #line: DelayLine
  readonly #options: ProxiedConnectionOptions
  readonly #onLoss: () => void
  #isSilent = false

  constructor(from: Socket, to: Socket, options: ProxiedConnectionOptions, onLoss: () => void) {
    this.#from = from
    this.#to = to
    this.#options = options
    this.#onLoss = onLoss
    this.#line = new DelayLine(options)
    from.on('data', (chunk) => this.#take(chunk))
    // What one end closes is closed at the other, unless the lane went silent.
    from.on('end', () => this.#pass(0, () => to.end()))
    from.on('close', (hadError) => this.#pass(0, () => (hadError ? to.resetAndDestroy() : to.destroySoon())))
    to.on('drain', () => this.#regulate())
  }

  goSilent(): void {
    this.#isSilent = true
    this.#line.clear()
    this.#from.resume()
  }

  reset(): void {
    this.#line.clear()
    this.#isSilent = true
    this.#from.resetAndDestroy()
  }

  #take(chunk: Buffer): void {
    if (this.#isSilent) return
    const { pieceBytes, cutProbability } = this.#options.conditions()
    for (let start = 0; start < chunk.length; start += pieceBytes) {
      if (cutProbability > 0 && this.#options.random.chance(cutProbability)) return this.#onLoss()
      const piece = chunk.subarray(start, start + pieceBytes)
      this.#pass(piece.length, () => this.#to.write(piece))
    }
    this.#regulate()
  }

  #pass(bytes: number, deliver: () => void): void {
    if (this.#isSilent) return
    this.#line.push(bytes, () => {
      deliver()
      this.#regulate()
    })
  }

  /** Reads as long as neither the line nor the receiver is full. */
  #regulate(): void {
    if (this.#from.destroyed) return
    const isFull = this.#line.bytes > MAX_BYTES_UNDER_WAY || this.#to.writableNeedDrain
    if (isFull && !this.#isSilent) this.#from.pause()
    else this.#from.resume()
  }
}
