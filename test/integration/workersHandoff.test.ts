import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Protocol } from '../../server/observer.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient, rawRequest, upgradeRequest } from '../support/rawClient.ts'
import { hex, message, protocols, wires } from '../support/rawMessages.ts'
import { askMany } from '../support/workersConnection.ts'
import { WorkersServer } from '../support/workersServer.ts'

let server: WorkersServer | null = null

afterEach(async () => {
  await server?.dispose()
  server = null
})

async function start(...args: string[]): Promise<WorkersServer> {
  server = await WorkersServer.start(args)
  return server
}

describe('connections handed to workers', () => {
  test('W2: of 24,000 none is lost and none hangs, whenever their first bytes arrive', async () => {
    const { port } = await start('--log-level', 'info')
    expect(await askMany(port, { count: 24_000, atOnce: 200, documents: 50 })).toEqual({ served: 24_000 })
  }, 400_000)

  test('W1: those who name one document meet in one worker, however they name it, and documents are spread', async () => {
    const running = await start()
    const documents = Array.from({ length: 16 }, (_, index) => `document ${index}`)
    const join = async (name: string, protocol: Protocol): Promise<RawClient> => {
      const client = await RawClient.open(running.port, wires[protocol].path(name))
      client.send(wires[protocol].frame(name, message.step1(hex('00'))))
      await client.until(() => client.messages.length > 0, 'it is answered')
      return client
    }
    const opened = await Promise.all(
      documents.flatMap((name) => protocols.flatMap((protocol) => [1, 2].map(() => join(name, protocol)))),
    )
    const inMemory = await running.metric('scriptorium_documents_open')
    expect((inMemory.get('0') ?? 0) + (inMemory.get('1') ?? 0), 'no document is in both').toBe(16)
    expect(Math.min(...inMemory.values())).toBeGreaterThan(2)
    for (const client of opened) client.destroy()
  })

  test('W1: a request that is no upgrade is answered as by one process', async () => {
    const running = await start()
    for (const [path, status] of [
      ['/', 200],
      ['/healthz', 200],
      ['/readyz', 200],
      ['/version', 200],
      ['/some/document', 426],
      ['/favicon.ico', 404],
    ] as const) {
      expect([path, (await running.get(path)).status]).toEqual([path, status])
    }
  })

  test.each([
    ['bytes that are no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01', '400'],
    ['a request line that is none', 'GET\r\n\r\n', '400'],
    ['a head that is too long', `GET / HTTP/1.1\r\nx: ${'y'.repeat(17_000)}\r\n\r\n`, '431'],
    ['a document name with broken escapes', upgradeRequest('/%zz'), '400'],
  ])('W1: %s: refused by a worker as by one process', async (_what, request, status) => {
    const { port } = await start()
    expect((await rawRequest(port, Buffer.from(request, 'latin1'))).slice(0, 12)).toBe(`HTTP/1.1 ${status}`)
  })

  test('W2: the address of a client is its own', async () => {
    const running = await start()
    const socket = connect({ port: running.port, host: '127.0.0.1', localAddress: '127.0.0.9' })
    socket.write(upgradeRequest('/a'))
    await once(socket, 'data')
    socket.destroy()
    await eventually(() => running.lines(/"remote":"127\.0\.0\.9"/).length > 0, 'it is logged')
    expect(running.lines(/"remote":"127\.0\.0\.9"/)[0]).toMatch(/"worker":[01]/)
  })

  test('W1: above --max-connections, all workers taken together: 503', async () => {
    const running = await start('--max-connections', '5')
    const opened = await Promise.all([1, 2, 3, 4, 5].map((name) => RawClient.open(running.port, `/${name}`)))
    await expect(RawClient.open(running.port, '/6')).rejects.toThrow('503')
    for (const client of opened) client.destroy()
    await eventually(async () => {
      const again = await RawClient.open(running.port, '/7')
      again.destroy()
      return true
    }, 'there is room again')
  })

  test.runIf(process.platform === 'linux')(
    'W2: a worker without a free descriptor: others get the connection, at last 503; nobody hangs',
    async () => {
      const running = await start()
      running.limitDescriptors(0, 50)
      running.limitDescriptors(1, 100)
      const opened: RawClient[] = []
      const refusals: unknown[] = []
      for (let batch = 0; batch < 12; batch += 1) {
        const names = Array.from({ length: 10 }, (_, index) => `/${batch}.${index}`)
        const results = await Promise.allSettled(names.map((name) => RawClient.open(running.port, name)))
        for (const result of results) {
          if (result.status === 'fulfilled') opened.push(result.value)
          else refusals.push(result.reason)
        }
      }
      expect(opened.length, 'more than worker 1 can hold').toBeGreaterThan(75)
      expect(new Set(refusals.map(String))).toEqual(new Set(['Error: refused: HTTP/1.1 503 Service Unavailable']))
      for (const client of opened) client.destroy()
      await eventually(async () => {
        const again = await RawClient.open(running.port, '/again')
        again.destroy()
        return true
      }, 'there is room again')
    },
  )
})
