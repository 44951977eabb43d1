import { describe, expect, test } from 'vitest'
import { StoppedClock } from '../support/clocks.ts'
import { collected, firstUpdate } from '../support/collaborator.ts'
import { HostileRoom, ROOM } from '../support/hostileRoom.ts'
import { concat, hex, message, protocols, string, varUint } from '../support/rawMessages.ts'

const EVIL = 666
const BURST = 1000
/** So slow that no test outlasts the pause; the timers of a stopped clock may also end by the real one. */
const limits = { maxStructsPerUpdate: BURST, maxStructsPerSecond: 0.01 }
const UNTIL_REFILLED_MS = 1_000_000

/** One struct, and as many deleted ranges in it. */
function deleted(client: number, count: number): Uint8Array {
  const insertion = firstUpdate(client, 'x'.repeat(2 * count))
  const ranges = Array.from({ length: count }, (_range, index) => concat(varUint(2 * index), hex('01')))
  return concat(insertion.subarray(0, -1), hex('01'), varUint(client), varUint(count), ...ranges)
}

async function open(): Promise<{ room: HostileRoom; clock: StoppedClock }> {
  const clock = new StoppedClock()
  return { clock, room: await HostileRoom.open({ clock, limits }) }
}

/** Whatever the attacker has sent by now would be there, were its socket read from. */
async function isNotRead(room: HostileRoom): Promise<void> {
  await room.staysUp()
  await room.staysUp()
  expect(room.here.reader.text).not.toContain('unread')
}

async function isReadAgain(room: HostileRoom, clock: StoppedClock): Promise<void> {
  clock.advance(UNTIL_REFILLED_MS)
  await room.here.reader.until(() => room.here.reader.text.includes('unread'), 'it is read from again')
}

describe.each(protocols)('structs of a %s client', (protocol) => {
  test.each([
    ['collected structs', collected(EVIL, BURST)],
    ['deleted ranges', deleted(EVIL, BURST)],
  ])(
    'S9, C27: who sends more %s than maxStructsPerSecond is not read from for a while; others do not notice',
    async (_what, update) => {
      const { room, clock } = await open()
      const attacker = await room.join(protocol)
      attacker.say(message.update(update))
      await room.here.reader.until(() => room.here.reader.hasHeardOf(EVIL), 'what it may send arrives')
      attacker.type('unread')
      await isNotRead(room)
      await isReadAgain(room, clock)
      expect(attacker.raw.closeFrame).toBeNull()
    },
  )
})

test('S9, C27: all sessions of one socket share one budget', async () => {
  const { room, clock } = await open()
  const attacker = await room.join('hocuspocus')
  for (let session = 1; session <= 4; session += 1) {
    const update = message.update(collected(EVIL + session, BURST / 4))
    attacker.raw.send(concat(string(`${ROOM}\0${String(session)}`), update))
  }
  await room.here.reader.until(() => room.here.reader.hasHeardOf(EVIL + 4), 'what they may send arrives')
  attacker.type('unread')
  await isNotRead(room)
  await isReadAgain(room, clock)
})

test('S9, C27: who closes the document and opens another session is not read from either', async () => {
  const { room, clock } = await open()
  const attacker = await room.join('hocuspocus')
  // In one write: what has come together with the update is taken although nothing more is read.
  attacker.raw.socket.cork()
  attacker.say(message.update(collected(EVIL, BURST)))
  attacker.say(hex('07'))
  attacker.raw.socket.uncork()
  await room.here.reader.until(() => room.here.reader.hasHeardOf(EVIL), 'what it may send arrives')
  attacker.type('unread')
  await isNotRead(room)
  await isReadAgain(room, clock)
})
