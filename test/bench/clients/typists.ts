import { setTimeout as delay } from 'node:timers/promises'
import { typedTogether } from '../load/typists.ts'
import { connectAll, type Client } from '../wire/client.ts'
import { yWebsocketDialect } from '../wire/dialect.ts'

/** In one room. */
const MOST_EDITS = 2000

/** Those who write what a measured client only receives: one connection in each room, for all who type there. */
export class Typists {
  private readonly clients: readonly Client[]
  private readonly updates: readonly Uint8Array[]
  private sent = 0
  /** By the number of people: making them takes longer than a turn should wait. */
  private static readonly written = new Map<number, readonly Uint8Array[]>()

  private constructor(clients: readonly Client[], people: number) {
    this.clients = clients
    this.updates = Typists.written.get(people) ?? typedTogether(people, MOST_EDITS)
    Typists.written.set(people, this.updates)
  }

  static async open(port: number, room: string, rooms: number, people: number): Promise<Typists> {
    const numbers = Array.from({ length: rooms }, (_, number) => number)
    const optionsOf = (number: number) => ({ port, dialect: yWebsocketDialect, document: `${room}-${number}` })
    return new Typists(await connectAll(numbers.map(optionsOf)), people)
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
