import { expect } from 'vitest'
import { oneState, PresenceRoom, Wire } from './presenceRoom.ts'
import type { PresenceClient } from './presenceRoom.ts'
import { Random } from '../../client/testing/random.ts'

const STEPS = 120
/** Longer than any timer of presence: reaping, sweeping and a renewal after them. Milliseconds. */
const LONG_ENOUGH_MS = 120_000

/** One random history of a room, its rules checked at every step and its end. */
export async function runPresenceHistory(seed: number): Promise<void> {
  const random = new Random(seed)
  const room = new PresenceRoom()
  const attacker = new Wire(0)
  room.wires.add(attacker)
  try {
    // Clients without a presence of their own still send back what they are told; not in every room.
    const viewers = random.chance(0.3) ? 1 : 0
    for (let id = 1; id <= 4; id += 1) room.add(id, id > viewers)
    for (let step = 0; step < STEPS; step += 1) await takeStep(room, random, attacker)
    await room.drain()
    // Who sends back what it is told before it has a word of its own (a viewer, or somebody whose own id is disputed)
    // cannot be told from a returning owner whose socket is dead. Then only time tells: the end has to be true.
    if (room.cuts === 0 || (room.cuts === 1 && viewers === 0)) checkNow(room)
    else for (const client of room.clients) client.mayRevert = true
    await settle(room)
    checkEnd(room)
    expect(room.strikes).toEqual([])
  } finally {
    room.destroy()
  }
}

async function takeStep(room: PresenceRoom, random: Random, attacker: Wire): Promise<void> {
  const client = random.pick(room.clients)
  const wire = random.pick([...room.wires])
  if (client === undefined || wire === undefined) return
  const dice = random.below(100)
  if (dice < 20) change(room, client)
  else if (dice < 40) deliver(room, random, wire)
  else if (dice < 60) room.deliverDown(client)
  else if (dice < 72) checkTold(room)
  else await takeRareStep(room, random, { client, attacker, dice })
}

interface Rare {
  readonly client: PresenceClient
  readonly attacker: Wire
  readonly dice: number
}

async function takeRareStep(room: PresenceRoom, random: Random, { client, attacker, dice }: Rare): Promise<void> {
  if (dice < 82) room.connect(client)
  else if (dice < 85) room.disconnect(client)
  else if (dice < 86) leave(room, client)
  else if (dice < 89) room.cut(client)
  else if (dice < 91) await room.answerChallenges()
  else if (dice < 94) room.advance(random.pick([50, 1_000, 1_000, 6_000]) ?? 0)
  else await attack(room, random, attacker)
}

/** Says goodbye, and has a new state for when it comes back. */
function leave(room: PresenceRoom, client: PresenceClient): void {
  if (!client.speaks) return
  room.leave(client)
  client.change(room.now)
}

function change(room: PresenceRoom, client: PresenceClient): void {
  if (client.speaks) client.change(room.now)
}

function deliver(room: PresenceRoom, random: Random, wire: Wire): void {
  for (let count = random.below(4); wire.brokenAt === null && count >= 0; count -= 1) room.deliverUp(wire)
}

/** Nothing is ever told of a client that the client itself has not said. */
function checkTold(room: PresenceRoom): void {
  for (const { client, json } of room.beat()) {
    const text = Buffer.from(json).toString()
    if (text === 'null' || text === '{}') continue
    expect((JSON.parse(text) as { owner: unknown }).owner).toBe(client)
  }
}

/** On the living: nobody can tell a forger from the returning owner of an id whose last socket is dead (A5). */
async function attack(room: PresenceRoom, random: Random, attacker: Wire): Promise<void> {
  if ([...room.wires].some((wire) => wire.brokenAt !== null)) return
  const before = room.told()
  const victim = random.pick([...before.keys()])
  if (victim === undefined) return
  const clock = random.pick([0, 1, 3, 50, Number.MAX_SAFE_INTEGER - 1]) ?? 0
  room.say(attacker, oneState(victim, clock, random.chance(0.5) ? null : { owner: 'evil' }))
  await room.answerChallenges()
  expect(room.told()).toEqual(before)
}

/** At rest, before any timer has helped: no ghosts of those whose socket closed, and nobody who is back is missing. */
function checkNow(room: PresenceRoom): void {
  const owners = new Set(room.clients.filter((client) => client.wire !== null).map((client) => client.id))
  const mayLinger = [...room.wires].some((wire) => wire.brokenAt !== null)
  for (const viewer of room.clients) {
    if (viewer.wire === null) continue
    for (const id of viewer.awareness.getStates().keys()) {
      if (!mayLinger && id !== viewer.id) expect(owners, `ghost of ${id} seen by ${viewer.id}`).toContain(id)
    }
    for (const other of room.clients) if (mustSee(room, viewer, other)) expectSees(viewer, other)
  }
}

/** Who was there before the other (re)connected has to see it without waiting for a renewal. */
function mustSee(room: PresenceRoom, viewer: PresenceClient, other: PresenceClient): boolean {
  if (viewer.wire === null || other.wire === null || !other.isVisible || room.now > 25_000) return false
  const order = [...room.wires]
  return order.indexOf(viewer.wire) <= order.indexOf(other.wire)
}

function expectSees(viewer: PresenceClient, other: PresenceClient): void {
  const seen = viewer.awareness.getStates().get(other.id)
  expect(seen, `${viewer.id} sees ${other.id}`).toEqual(other.awareness.getLocalState())
  if (other.value > 0 && !other.mayRevert)
    expect(other.awareness.getLocalState()).toEqual({ owner: other.id, value: other.value })
}

async function settle(room: PresenceRoom): Promise<void> {
  for (let passed = 0; passed < LONG_ENOUGH_MS; passed += 5_000) {
    room.advance(5_000)
    await room.drain()
  }
}

function checkEnd(room: PresenceRoom): void {
  const present = room.clients.filter((client) => client.wire !== null && client.isVisible)
  expect(new Set(room.told().keys())).toEqual(new Set(present.map((client) => client.id)))
  for (const viewer of room.clients) {
    if (viewer.wire === null) continue
    for (const other of present) expectSees(viewer, other)
    const seen = [...viewer.awareness.getStates().keys()].filter((id) => id !== viewer.id)
    const truth = present.map((client) => client.id).filter((id) => id !== viewer.id)
    expect(new Set(seen), `seen by ${viewer.id}`).toEqual(new Set(truth))
  }
}
