import type { Client } from '../wire/client.ts'
import { awarenessUpdate, greeting } from '../wire/dialect.ts'
import { clientId } from './typists.ts'

/** Clients renew their presence so often. */
export const RENEWAL_MS = 15_000

/** Renews a client's presence every 15 s, beginning after a random part of that, as clients that came at random times do. */
export function renew(client: Client, number: number, random: () => number): () => void {
  let clock = 0
  const state = JSON.stringify({ user: { name: `Person Number ${number}`, color: '#30bced' } })
  const send = (): void => {
    clock++
    client.send(client.awarenessFrame(awarenessUpdate(clientId(number), clock, state)))
  }
  client.send(client.awarenessFrame(greeting(clientId(number))))
  send()
  let timer = setTimeout(() => {
    send()
    timer = setInterval(send, RENEWAL_MS)
  }, random() * RENEWAL_MS)
  return () => {
    clearTimeout(timer)
  }
}
