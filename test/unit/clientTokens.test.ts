import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { TokenContext } from '../../client/index.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { Tokens } from '../../client/tokens.ts'
import { auth } from '../../client/wire.ts'
import { MessageType, permissionDenied } from '../../shared/wire/messages.ts'
import { encodeString } from '../../shared/wire/writer.ts'
import { loadSharedSockets, SharedSocketServer } from './clientServers.ts'
import { ClientWorld, ROOM } from './clientWorld.ts'

let world = new ClientWorld()

beforeAll(loadSharedSockets)
beforeAll(() => import('../../client/askedTokens.ts')) // loaded on demand, in real time

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

/** A JWT that ends `seconds` from now, by the real clock: it is real time that tokens end by. */
function jwt(seconds: number): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return [encode({ alg: 'none' }), encode({ exp: Date.now() / 1000 + seconds }), 'signature'].join('.')
}

function tokensInUrls(): (string | null)[] {
  return world.urls.map((url) => url.searchParams.get('token'))
}

describe('a token', () => {
  test('that is a string goes into every URL, escaped', async () => {
    const device = world.device()
    const { provider } = world.open(device, { token: 'a&b=c d' })
    await world.pass(10_000)
    device.network.cut()
    await world.pass(1_000)
    expect(provider.synced).toBe(true)
    expect(tokensInUrls()).toEqual(['a&b=c d', 'a&b=c d'])
  })

  test('of a function is asked for once, and kept while it works', async () => {
    const device = world.device()
    const asked: TokenContext[] = []
    const { provider } = world.open(device, {
      token: (context) => {
        asked.push(context)
        return Promise.resolve('kept')
      },
    })
    for (let round = 0; round < 3; round += 1) {
      await world.pass(10_000)
      expect(provider.synced).toBe(true)
      device.network.cut()
    }
    expect(asked).toEqual([{ reason: 'connect' }])
    expect(tokensInUrls()).toEqual(['kept', 'kept', 'kept'])
  })

  test('is asked for again when an attempt came to nothing: browsers do not tell why', async () => {
    const device = world.device()
    device.network.reachability = 'refusing'
    let count = 0
    const { provider } = world.open(device, { token: () => `token ${String((count += 1))}` })
    await world.pass(3_000)
    expect(count).toBeGreaterThan(3)
    device.network.reachability = 'up'
    await world.pass(5_000)
    expect([provider.synced, tokensInUrls()]).toEqual([true, [`token ${String(count)}`]])
  })

  test.each([4401, 4403])('that is refused with %i is asked for once more, and then it is over', async (code) => {
    const device = world.device()
    const asked: string[] = []
    const { provider } = world.open(device, {
      token: ({ reason }) => {
        asked.push(reason)
        return `token ${String(asked.length)}`
      },
    })
    await world.pass(10_000)
    world.close(code)
    await world.pass(1_000)
    expect([asked, provider.synced, provider.linkStatus.name]).toEqual([['connect', 'rejected'], true, 'open'])
    world.refuseAll(code)
    await world.pass(60_000)
    expect([asked, provider.linkStatus.name]).toEqual([['connect', 'rejected', 'rejected'], 'denied'])
    expect(device.network.opened).toBe(3)
  })

  test('that cannot be had is reported, and asked for again later', async () => {
    const errors: unknown[] = []
    let works = false
    const { provider } = world.open(world.device(), {
      connect: false,
      token: () => (works ? 'token' : Promise.reject(new Error('no session'))),
    })
    provider.on('error', ({ code, cause }) => errors.push([code, cause]))
    provider.connect()
    await world.pass(2_000)
    expect(errors.length).toBeGreaterThan(2)
    expect(errors[0]).toEqual(['TOKEN_FAILED', new Error('no session')])
    works = true
    await world.pass(3_000)
    expect([provider.synced, tokensInUrls()]).toEqual([true, ['token']])
  })

  test.each([null, undefined])('of a function may be none (%s)', async (none) => {
    const { provider } = world.open(world.device(), { token: () => none })
    await world.pass(100)
    expect([provider.synced, tokensInUrls()]).toEqual([true, [null]])
  })

  test('that is no token is reported, and nobody is sent it', async () => {
    const errors: unknown[] = []
    const { provider } = world.open(world.device(), { connect: false, token: () => 42 as unknown as string })
    provider.on('error', ({ code }) => errors.push(code))
    provider.connect()
    await world.pass(10)
    expect([errors[0], provider.synced, tokensInUrls()]).toEqual(['TOKEN_FAILED', false, []])
  })

  test('that was refused is not asked for as if nothing had happened, whatever shouldReconnect says', async () => {
    const reasons: string[] = []
    world.refuseAll(4401)
    world.open(world.device(), {
      shouldReconnect: () => true,
      token: ({ reason }) => {
        reasons.push(reason)
        return reason
      },
    })
    await world.pass(5_000)
    expect([reasons[0], new Set(reasons.slice(1))]).toEqual(['connect', new Set(['rejected'])])
  })

  test('is not renewed for nobody', async () => {
    let asked = 0
    const exp = Math.floor(Date.now() / 1000) + 120
    const { provider } = world.open(world.device(), {
      token: () => {
        asked += 1
        return `a.${btoa(JSON.stringify({ exp }))}.c`
      },
    })
    await world.pass(1_000)
    provider.disconnect()
    await world.pass(1_000_000)
    expect([asked, world.clock.timers]).toEqual([1, 0])
  })

  test('that takes longer than connectTimeout is not waited for', async () => {
    const { provider } = world.open(world.device(), {
      token: () => new Promise(() => undefined),
      connectTimeout: 2_000,
    })
    await world.pass(2_100)
    expect(provider.wsUnsuccessfulReconnects).toBe(1)
  })

  test('that is about to end is replaced, and our server told without a new connection', async () => {
    const device = world.device()
    const reasons: string[] = []
    const given: string[] = []
    const { provider, sent } = world.open(device, {
      token: ({ reason }) => {
        reasons.push(reason)
        given.push(jwt(reasons.length === 1 ? 300 : 3_600))
        return given.at(-1) ?? ''
      },
    })
    await world.pass(230_000)
    expect(reasons).toEqual(['connect'])
    await world.pass(20_000)
    expect([reasons, provider.synced, device.network.opened]).toEqual([['connect', 'expiring'], true, 1])
    expect(sent.filter(([first]) => first === MessageType.auth)).toEqual([auth(given[1] ?? '')])
    device.network.cut()
    await world.pass(1_000)
    expect(tokensInUrls()).toEqual(given)
    expect(reasons.length).toBe(2)
  })

  test('of no known end, or with an end long past, is not asked for again and again', async () => {
    for (const token of ['opaque', 'a.b.c', jwt(-100), jwt(0)]) {
      let count = 0
      const { provider } = world.open(world.device(), {
        token: () => {
          count += 1
          return token
        },
      })
      await world.pass(600_000)
      expect([token, count]).toEqual([token, 1])
      provider.destroy()
    }
  })

  test('is not sent in-band to a server that is not ours', async () => {
    world = new ClientWorld({ dialect: 'y-websocket' })
    let count = 0
    const { sent } = world.open(world.device(), {
      token: () => {
        count += 1
        return jwt(120)
      },
    })
    await world.pass(100_000)
    expect(count).toBeGreaterThan(1)
    expect(sent.filter(([first]) => first === MessageType.auth)).toEqual([])
  })
})

test('a token that is had twice before its end is known is renewed once, and not after the end', async () => {
  const clock = new FakeClock()
  const renewed: string[] = []
  const token = jwt(300)
  const tokens = new Tokens(() => token, clock, { renewed: (next) => renewed.push(next), failure: () => expect.fail() })
  await tokens.get()
  tokens.forget()
  await tokens.get()
  await import('../../client/askedTokens.ts')
  await clock.advanceAsync(1)
  expect(clock.timers).toBe(1)
  tokens.destroy()
  expect(clock.timers).toBe(0)
})

describe('a token for one of many documents on a socket', () => {
  /** Tokens the server of a new world was given, each with its document. */
  function sharedSockets(): [string, string][] {
    let tokens: [string, string][] = []
    world = new ClientWorld({
      wrap: (server) => {
        const shared = new SharedSocketServer(server)
        tokens = shared.tokens
        return shared
      },
    })
    return tokens
  }

  test('is sent in a message of its own, never in the URL, and a denial concerns that document only', async () => {
    const tokens = sharedSockets()
    const device = world.device()
    const open = (room: string): ReturnType<ClientWorld['open']> =>
      world.open(device, { multiplex: true, token: `for ${room}` }, room)
    const [first, second] = [open(ROOM), open('other')]
    await world.pass(1_000)
    expect([first.provider.synced, second.provider.synced, device.network.opened]).toEqual([true, true, 1])
    expect(tokensInUrls()).toEqual([null])
    expect(tokens).toEqual([
      [ROOM, `for ${ROOM}`],
      ['other', 'for other'],
    ])
    const told: unknown[] = []
    first.provider.on('authentication-failed', ({ reason }) => told.push(reason))
    first.provider.on('closed', ({ code, reason }) => told.push([code, reason]))
    world.say(new Uint8Array([...encodeString(ROOM), ...permissionDenied('not you')]))
    await world.pass(60_000)
    expect(told).toEqual(['not you', [4403, 'not you']])
    expect([first.provider.linkStatus.name, first.provider.shouldConnect]).toEqual(['denied', false])
    await expect(first.provider.whenSynced).rejects.toMatchObject({ code: 'ACCESS_DENIED', closeCode: 4403 })
    second.type('goes on')
    await world.pass(1_000)
    expect([second.provider.synced, second.provider.unsavedChanges, device.network.opened]).toEqual([true, 0, 1])
    first.provider.connect()
    await world.pass(1_000)
    expect([first.provider.synced, device.network.opened]).toEqual([true, 1])
  })

  test('is asked for once more when it is refused', async () => {
    const tokens = sharedSockets()
    const reasons: string[] = []
    const { provider } = world.open(world.device(), {
      multiplex: true,
      token: ({ reason }) => {
        reasons.push(reason)
        return `token ${String(reasons.length)}`
      },
    })
    await world.pass(10_000)
    world.say(new Uint8Array([...encodeString(ROOM), ...permissionDenied('expired')]))
    await world.pass(5_000)
    expect([reasons, provider.synced]).toEqual([['connect', 'rejected'], true])
    expect(tokens.map(([, token]) => token)).toEqual(['token 1', 'token 2'])
  })

  test('may be wanted again by the server', async () => {
    const tokens = sharedSockets()
    let count = 0
    world.open(world.device(), { multiplex: true, token: () => `token ${String((count += 1))}` })
    await world.pass(1_000)
    world.say(new Uint8Array([...encodeString(ROOM), MessageType.auth, 0]))
    await world.pass(1_000)
    expect(tokens.map(([, token]) => token)).toEqual(['token 1', 'token 2'])
  })

  test('tells what may be done: read only is no denial, but nothing can be saved', async () => {
    world = new ClientWorld({ wrap: (server) => new SharedSocketServer(server) })
    const { provider, type } = world.open(world.device(), { multiplex: true })
    await world.pass(1_000)
    const scopes: unknown[] = []
    provider.on('scope', (scope) => scopes.push(scope))
    provider.on('authenticated', ({ scope }) => scopes.push([scope]))
    const grant = (scope: string): void =>
      world.say(new Uint8Array([...encodeString(ROOM), MessageType.auth, 2, ...encodeString(scope)]))
    world.server.hold()
    type('x')
    const saved = expect(provider.whenSaved()).rejects.toMatchObject({ code: 'READ_ONLY' })
    grant('readonly')
    await world.pass(1_000)
    await saved
    expect([provider.scope, provider.synced, scopes]).toEqual(['readonly', true, [['readonly'], 'readonly']])
    await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'READ_ONLY' })
    grant('read-write')
    world.server.release()
    await world.pass(1_000)
    await provider.whenSaved()
    expect([provider.scope, world.saved]).toEqual(['read-write', 'x'])
  })
})

test('a token that is answered too late takes the place of no newer one', async () => {
  const answers: ((token: string) => void)[] = []
  const device = world.device()
  const { provider } = world.open(device, { token: () => new Promise((resolve) => answers.push(resolve)) })
  await world.pass(100)
  provider.disconnect()
  provider.connect()
  await world.pass(100)
  answers[1]?.('bob')
  await world.pass(100)
  answers[0]?.('alice')
  await world.pass(10_000)
  device.network.cut()
  await world.pass(1_000)
  expect([provider.synced, tokensInUrls()]).toEqual([true, ['bob', 'bob']])
})

test('a token that is answered after the end of the connection is not renewed', async () => {
  let asked = 0
  let answer = (_token: string): void => undefined
  const exp = Math.floor(Date.now() / 1000) + 120
  const { provider } = world.open(world.device(), {
    token: () => {
      asked += 1
      return new Promise((resolve) => (answer = resolve))
    },
  })
  await world.pass(100)
  provider.disconnect()
  answer(`a.${btoa(JSON.stringify({ exp }))}.c`)
  await world.pass(1_000_000)
  expect([asked, world.clock.timers]).toEqual([1, 0])
})
