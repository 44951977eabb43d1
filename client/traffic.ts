import type { RoomOwner } from './roomOwner.ts'
import type { Frame } from './status.ts'

/** What has travelled between one document and its server. */
export class Traffic<Provider> {
  readonly counts = { bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0, reconnects: 0 }
  readonly #provider: Pick<RoomOwner<Provider>, 'emit'>

  constructor(provider: Pick<RoomOwner<Provider>, 'emit'>) {
    this.#provider = provider
  }

  count(direction: Frame['direction'], bytes: Uint8Array): void {
    const { counts } = this
    const way = direction === 'in' ? 'In' : 'Out'
    counts[`frames${way}`] += 1
    counts[`bytes${way}`] += bytes.length
    this.#provider.emit('frame', [{ direction, bytes }])
  }
}
