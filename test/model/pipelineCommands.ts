import { assert, asyncModelRun, asyncProperty, commands, nat, tuple } from 'fast-check'
import type { Arbitrary, AsyncCommand, Parameters } from 'fast-check'
import { syncUpdate } from '../../shared/wire/messages.ts'
import { orphanUpdate, poisonousUpdate, Room } from './room.ts'
import { toSession } from './wirings.ts'
import { World } from './world.ts'

type Step = (room: Room, index: number, value: number) => void | Promise<void>

/** What may happen, and how often in relation to the rest. */
const STEPS: Readonly<Record<string, { readonly weight: number; readonly run: Step }>> = {
  join: { weight: 6, run: (room, index) => room.client(index).connect() },
  leave: { weight: 1, run: (room, index) => room.client(index).disconnect() },
  edit: { weight: 10, run: (room, index, value) => room.edit(index, value) },
  editLots: { weight: 1, run: editLots },
  deliverUp: { weight: 14, run: (room, index, value) => room.client(index).deliverUp(1 + (value % 4)) },
  deliverDown: { weight: 10, run: (room, index, value) => room.client(index).deliverDown(1 + (value % 6)) },
  reorder: { weight: 2, run: (room, index) => room.reorder(index) },
  askAgain: { weight: 1, run: (room, index) => room.client(index).requestState() },
  probe: { weight: 2, run: (room, index) => room.client(index).probe() },
  garbage: { weight: 1, run: (room, index) => room.client(index).inject(syncUpdate(new Uint8Array([1, 2, 3]))) },
  orphan: { weight: 1, run: (room, index) => room.client(index).inject(orphanUpdate(777), true) },
  poison: { weight: 1, run: (room, index) => room.client(index).inject(syncUpdate(poisonousUpdate())) },
  congest: { weight: 4, run: congest },
  drain: { weight: 2, run: (room, index) => room.client(index).drain() },
  failAppend: {
    weight: 2,
    run: (room, _, value) => room.failAppends(1 + (value % 3), value % 2 === 0 ? 'before' : 'after'),
  },
  holdAppend: { weight: 2, run: (room) => room.world.hold('append') },
  holdCompact: { weight: 1, run: (room) => room.world.hold('compact') },
  failCompact: {
    weight: 1,
    run: (room, _, value) => room.world.engine.fail('compact', 1, value % 2 === 0 ? 'before' : 'after'),
  },
  release: { weight: 3, run: (room) => room.world.release() },
  failLoad: { weight: 1, run: (room, _, value) => room.world.engine.fail('load', 1 + (value % 2)) },
  holdLoad: { weight: 1, run: (room) => room.world.hold('load') },
  turn: { weight: 14, run: (room) => room.settle() },
  tick: { weight: 8, run: (room, _, value) => room.world.clock.advanceAsync(1 + (value % 30)) },
  wait: { weight: 2, run: (room, _, value) => room.world.clock.advanceAsync(200 + (value % 3000)) },
  crash: { weight: 1, run: crash },
}

function congest(room: Room, index: number): void {
  const { link } = room.client(index)
  if (link !== null) link.congested = true
}

/** More than the log takes before a snapshot pays. */
async function editLots(room: Room, index: number): Promise<void> {
  const client = room.client(index)
  if (!client.isConnected) return
  client.doc.getMap('map').set('large', 'x'.repeat(70_000))
  client.deliverUp(Infinity)
  await room.settle()
}

/** Clients notice at once and come back with the documents they have. */
function crash(room: Room): void {
  room.world.crash()
  for (const client of room.clients) if (client.link !== null) client.connect()
}

class Command implements AsyncCommand<object, Room> {
  readonly #name: string
  readonly #index: number
  readonly #value: number

  constructor(name: string, index: number, value: number) {
    this.#name = name
    this.#index = index
    this.#value = value
  }

  check(): boolean {
    return true
  }

  async run(_: object, room: Room): Promise<void> {
    await STEPS[this.#name]?.run(room, this.#index, this.#value)
    await room.world.expectStored('room')
  }

  toString(): string {
    return `${this.#name}(${this.#index}, ${this.#value})`
  }
}

/** One generator per kind of step, repeated by its weight. */
function pipelineCommands(): Arbitrary<AsyncCommand<object, Room>>[] {
  return Object.entries(STEPS).flatMap(([name, { weight }]) => {
    const arguments_ = tuple(nat({ max: 3 }), nat({ max: 100_000 }))
    return Array.from({ length: weight }, () => arguments_.map(([index, value]) => new Command(name, index, value)))
  })
}

/** Throws with seed, path and the shortest history that fails. */
export async function runPipelineHistories(parameters: Parameters<[Iterable<AsyncCommand<object, Room>>]>) {
  const history = commands(pipelineCommands(), { maxCommands: 120, size: 'max' })
  await assert(asyncProperty(history, runHistory), parameters)
}

async function runHistory(steps: Iterable<AsyncCommand<object, Room>>): Promise<void> {
  const world = new World({ maxPendingUpdatesPerSession: 8 })
  const room = new Room(world, (link, client) => toSession(world)(link, client), 4)
  room.client(0).connect()
  room.client(1).connect()
  try {
    await asyncModelRun(() => ({ model: {}, real: room }), steps)
    await room.end()
  } finally {
    room.destroy()
  }
}
