import { setTimeout as delay } from 'node:timers/promises'
import { typedUpdates } from '../load/typists.ts'
import { connectAll, type Client } from '../wire/client.ts'
import { yWebsocketDialect } from '../wire/dialect.ts'

/** In one room. */
const MOST_EDITS = 1000

let made: readonly Uint8Array[] | null = null

/** Those who write what a measured client only receives: one in each room. */
export class Typists {
  private readonly clients: readonly Client[]
  private readonly updates = (made ??= typedUpdates(0, MOST_EDITS))
  private sent = 0

  private constructor(clients: readonly Client[]) {
    this.clients = clients
  }

  static async open(port: number, room: string, rooms: number): Promise<Typists> {
    const numbers = Array.from({ length: rooms }, (_, number) => number)
    const optionsOf = (number: number) => ({ port, dialect: yWebsocketDialect, document: `${room}-${number}` })
    return new Typists(await connectAll(numbers.map(optionsOf)))
  }

  /** One edit after the other, in one room after the other. */
  async type(edits: number, everyMs: number): Promise<void> {
    for (let edit = 0; edit < edits; edit++) {
      const client = this.clients[this.sent % this.clients.length]
      const update = this.updates[Math.floor(this.sent / this.clients.length)]
      this.sent++
      if (client !== undefined && update !== undefined) client.send(client.updateFrame(update))
      await delay(everyMs)
    }
  }

  close(): void {
    for (const client of this.clients) client.close()
  }
}
