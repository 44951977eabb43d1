import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Handoffs } from '../../server/workers/handoffs.ts'
import type { Handoff } from '../../server/workers/handoffs.ts'
import type { ToWorker } from '../../server/workers/messages.ts'

function scene() {
  const sent: ToWorker[] = []
  const callbacks: ((error: Error | null) => void)[] = []
  const refused: string[] = []
  const ended: string[] = []
  const asked: number[] = []
  const handoffs = new Handoffs({
    onRefused: ({ head }) => refused.push(head),
    ask: (id) => asked.push(id),
  })
  const channel = {
    send: (message: ToWorker, _socket: Socket, _options: object, callback: (error: Error | null) => void) => {
      sent.push(message)
      callbacks.push(callback)
      return true
    },
  }
  const send = (head: string): void => {
    const socket = { destroy: () => ended.push(head) } as unknown as Socket
    const about = { isUpgrade: true, isAnswered: false, document: null, refusedBy: new Set<number>() }
    handoffs.send(channel, { socket, head, ...about })
  }
  const heads = (): string[] => sent.map((message) => ('head' in message ? message.head : message.type))
  return { handoffs, send, heads, callbacks, refused, ended, asked }
}

const headsOf = (handoffs: readonly Handoff[]): string[] => handoffs.map(({ head }) => head)

describe('connections on their way to a worker', () => {
  test('W2: our end stays open until the worker has taken it', () => {
    const { handoffs, send, ended } = scene()
    for (const head of ['a', 'b']) send(head)
    handoffs.taken(1)
    expect([ended, handoffs.size]).toEqual([['a'], 1])
    handoffs.taken(2)
    expect([ended, handoffs.size]).toEqual([['a', 'b'], 0])
  })

  test('W2: one that was lost on the way is refused as soon as a later one, or a question, is answered', () => {
    const { handoffs, send, refused, ended } = scene()
    for (const head of ['a', 'b', 'c', 'd']) send(head)
    handoffs.taken(2)
    expect(refused).toEqual(['a'])
    handoffs.reached(3)
    expect(refused).toEqual(['a', 'c'])
    handoffs.gone()
    expect([refused, ended, handoffs.size]).toEqual([['a', 'c', 'd'], ['b'], 0])
  })

  test('W2: one that cannot be sent is refused once, and makes room for the next', () => {
    const { handoffs, send, heads, callbacks, refused } = scene()
    for (const head of ['a', 'b', 'c', 'd', 'e']) send(head)
    callbacks[0]?.(new Error('closed'))
    expect([refused, heads()]).toEqual([['a'], ['a', 'b', 'c', 'd', 'e']])
    handoffs.gone()
    expect(refused).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('W8: four are sent at once, in their order; the others wait until some have been taken or are lost', () => {
    const { handoffs, send, heads, refused } = scene()
    for (const head of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) send(head)
    expect([heads(), handoffs.size, handoffs.lastId]).toEqual([['a', 'b', 'c', 'd'], 7, 4])
    handoffs.taken(1)
    expect(heads()).toEqual(['a', 'b', 'c', 'd', 'e'])
    handoffs.reached(3)
    expect([refused, heads(), handoffs.size]).toEqual([['b', 'c'], ['a', 'b', 'c', 'd', 'e', 'f', 'g'], 4])
  })

  test('W2: when as many are on the way as may be, the worker is asked about all of them, once', () => {
    const { handoffs, send, asked } = scene()
    for (const head of ['a', 'b', 'c']) send(head)
    expect(asked).toEqual([])
    for (const head of ['d', 'e', 'f', 'g', 'h']) send(head)
    expect(asked).toEqual([4])
    handoffs.taken(1)
    expect(asked, 'the second of these four has been asked about').toEqual([4])
    handoffs.reached(4)
    expect(asked).toEqual([4, 8])
  })

  test('W8: what is withdrawn is not sent any more, nor refused, nor ended; who comes later is sent', () => {
    const { handoffs, send, heads, refused, ended } = scene()
    for (const head of ['a', 'b', 'c', 'd', 'e', 'f']) send(head)
    const { sent, waiting } = handoffs.withdraw()
    expect([headsOf(sent), headsOf(waiting), handoffs.size]).toEqual([['a', 'b', 'c', 'd'], ['e', 'f'], 0])
    for (const id of [1, 2, 3, 4]) handoffs.taken(id)
    handoffs.gone()
    expect([heads(), refused, ended]).toEqual([['a', 'b', 'c', 'd'], [], []])
    send('g')
    expect(heads()).toEqual(['a', 'b', 'c', 'd', 'g'])
  })
})
