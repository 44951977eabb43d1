import { expect } from 'vitest'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import { FakeClock, FakeDevice, FakeServer, Random } from '../../client/testing/index.ts'
import type { Acceptor } from '../../client/testing/index.ts'
import { ForeignServer, SharedSocketServer } from './clientServers.ts'

const ROOM = 'room'
const URL = 'ws://server.test'
/** Milliseconds of fake time after the last event: many times what reconnecting and noticing dead links may take. */
const PEACE_MS = 300_000

/** Our server with a socket for each document, or one for all; and one that is not ours. */
const kinds = ['ours', 'ours', 'multiplex', 'foreign'] as const

type Kind = (typeof kinds)[number]

function acceptorOf(kind: Kind, server: FakeServer): Acceptor {
  if (kind === 'multiplex') return new SharedSocketServer(server)
  return kind === 'foreign' ? new ForeignServer(server) : server
}

/** One browser tab: a document and its provider, until it is closed or reloaded. */
interface Tab {
  readonly provider: WebsocketProvider
  readonly doc: Y.Doc
  readonly items: Y.Array<string>
  /** Nowhere kept yet but here: may be lost when the tab goes. */
  readonly unkept: Set<string>
}

interface Device {
  readonly fake: FakeDevice
  readonly keeps: boolean
  readonly tabs: Tab[]
}

/** What may happen, and how often compared with the others. */
const EVENTS = {
  edit: 30,
  burst: 4,
  remove: 6,
  pause: 20,
  saved: 8,
  cut: 3,
  silence: 2,
  refuse: 2,
  recover: 4,
  hold: 3,
  release: 4,
  crash: 2,
  restart: 1,
  reload: 3,
  die: 2,
  openTab: 2,
  online: 1,
  disconnect: 1,
} as const

type EventName = keyof typeof EVENTS

/**
 * One history by its seed: devices with one or two tabs edit a document while networks, server and pages fail. In the end
 * nothing that had to be kept is missing, nothing is there twice, and all agree.
 */
export class ClientHistory {
  readonly #random: Random
  readonly #clock = new FakeClock()
  readonly #server: FakeServer
  readonly #devices: Device[]
  readonly #kind: Kind
  readonly #log: string[] = []
  /** Must be there in the end: not those whose writer is gone before anybody else had them or promised anything. */
  readonly #inserted = new Set<string>()
  readonly #removed = new Set<string>()
  #count = 0
  #clients = 0
  #promises = 0

  constructor(seed: number) {
    this.#random = new Random(seed)
    this.#kind = this.#random.pick(kinds) ?? 'ours'
    this.#server = new FakeServer({ dialect: this.#kind === 'foreign' ? 'y-websocket' : 'scriptorium' })
    const server = acceptorOf(this.#kind, this.#server)
    const size = 1 + this.#random.below(3)
    this.#devices = Array.from({ length: size }, (_, index) => ({
      fake: new FakeDevice({ clock: this.#clock, server, seed: seed * 10 + index }),
      keeps: this.#random.chance(0.5),
      tabs: [],
    }))
  }

  async run(events: number): Promise<void> {
    this.#log.push(this.#kind)
    try {
      for (const device of this.#devices) {
        device.fake.network.change({ latencyMs: this.#random.below(200), jitterMs: this.#random.below(50) })
        this.#openTab(device)
      }
      for (let left = events; left > 0; left -= 1) await this.#step()
      await this.#end()
    } catch (error) {
      throw new Error(`history: ${this.#log.join(' ')}`, { cause: error })
    } finally {
      for (const { provider, doc } of this.#tabs()) {
        provider.destroy()
        doc.destroy()
      }
    }
    for (const { fake } of this.#devices) expect([fake.page.listeners, fake.tabs.subscribers]).toEqual([0, 0])
  }

  #tabs(): Tab[] {
    return this.#devices.flatMap((device) => device.tabs)
  }

  #pick(): EventName {
    const names = Object.keys(EVENTS) as EventName[]
    let left = this.#random.below(names.reduce((sum, name) => sum + EVENTS[name], 0))
    for (const name of names) {
      left -= EVENTS[name]
      if (left < 0) return name
    }
    return 'pause'
  }

  async #step(): Promise<void> {
    const name = this.#pick()
    const device = this.#random.pick(this.#devices) as Device
    const tab = this.#random.pick(device.tabs)
    this.#log.push(`${name}@${this.#devices.indexOf(device)}.${tab === undefined ? '-' : device.tabs.indexOf(tab)}`)
    if (tab !== undefined) this.#acts[name](device, tab)
    else this.#openTab(device)
    if (name === 'pause') await this.#clock.advanceAsync(this.#random.below(this.#random.chance(0.2) ? 20_000 : 500))
    else await this.#clock.advanceAsync(this.#random.below(30))
  }

  readonly #acts: Readonly<Record<EventName, (device: Device, tab: Tab) => void>> = {
    pause: () => undefined,
    edit: (device, tab) => this.#edit(device, tab),
    burst: (device, tab) => {
      for (let count = 0; count < 20; count += 1) this.#edit(device, tab)
    },
    remove: (device, tab) => this.#remove(device, tab),
    saved: (_device, tab) => this.#awaitSaved(tab),
    cut: ({ fake }) => fake.network.cut(),
    silence: ({ fake }) => fake.network.goSilent(),
    refuse: ({ fake }) => {
      fake.network.reachability = this.#random.chance(0.5) ? 'refusing' : 'silent'
      fake.network.cut()
    },
    recover: ({ fake }) => {
      fake.network.reachability = 'up'
    },
    hold: () => this.#server.hold(),
    release: () => this.#server.release(),
    crash: () => this.#server.crash(),
    restart: () => this.#server.restart(),
    reload: (device, tab) => {
      this.#closeTab(device, tab)
      this.#openTab(device)
    },
    die: (device, tab) => {
      // Whatever it would still say is lost, as when the process is killed.
      device.fake.network.goSilent()
      this.#closeTab(device, tab)
      this.#openTab(device)
    },
    openTab: (device) => {
      if (device.tabs.length < 2) this.#openTab(device)
    },
    online: ({ fake }) => fake.page.fire('online'),
    disconnect: (_device, { provider }) => (provider.shouldConnect ? provider.disconnect() : provider.connect()),
  }

  #edit(device: Device, tab: Tab): void {
    this.#count += 1
    const item = String(this.#count)
    tab.items.insert(this.#random.below(tab.items.length + 1), [item])
    this.#inserted.add(item)
    if (!device.keeps) tab.unkept.add(item)
  }

  /** Removals are certain only where they are kept: elsewhere the item may come back. */
  #remove(device: Device, tab: Tab): void {
    if (tab.items.length === 0 || !device.keeps) return
    const index = this.#random.below(tab.items.length)
    this.#removed.add(tab.items.get(index))
    tab.items.delete(index)
  }

  #awaitSaved(tab: Tab): void {
    const promised = [...tab.items]
    this.#promises += 1
    tab.provider.whenSaved().then(
      () => {
        this.#promises -= 1
        const saved = new Set(this.#server.document(ROOM).getArray<string>('items'))
        const lost = promised.filter((item) => !saved.has(item) && !this.#removed.has(item))
        if (lost.length > 0) this.#log.push(`BROKEN PROMISE ${lost.join()}`)
        for (const item of promised) tab.unkept.delete(item)
      },
      () => {
        this.#promises -= 1 // the tab was closed
      },
    )
  }

  #openTab(device: Device): void {
    const doc = new Y.Doc()
    this.#clients += 1
    doc.clientID = this.#clients
    const provider = new WebsocketProvider(URL, ROOM, doc, {
      environment: device.fake.environment,
      persistence: device.keeps,
      multiplex: this.#kind === 'multiplex',
    })
    device.tabs.push({ provider, doc, items: doc.getArray<string>('items'), unkept: new Set() })
  }

  #closeTab(device: Device, tab: Tab): void {
    device.tabs.splice(device.tabs.indexOf(tab), 1)
    tab.provider.destroy()
    tab.doc.destroy()
    for (const item of tab.unkept) {
      const heir = this.#tabs().find((other) => other.items.toArray().includes(item))
      if (heir === undefined) this.#inserted.delete(item)
      else heir.unkept.add(item)
    }
  }

  async #end(): Promise<void> {
    this.#server.release()
    for (const device of this.#devices) {
      device.fake.network.reachability = 'up'
      if (device.tabs.length === 0) this.#openTab(device)
    }
    for (const { provider } of this.#tabs()) provider.connect()
    await this.#clock.advanceAsync(PEACE_MS)
    // A server that is not ours says nothing to who says nothing, and is left every 30 s: presence is renewed in real time.
    const isOut = (): boolean => this.#tabs().some(({ provider }) => !provider.synced)
    for (let tries = 0; tries < 20 && isOut(); tries += 1) await this.#clock.advanceAsync(500)
    const final = [...this.#server.document(ROOM).getArray<string>('items')]
    expect(this.#log.filter((line) => line.startsWith('BROKEN'))).toEqual([])
    expect(this.#promises).toBe(0)
    expect(new Set(final).size, 'items that are there twice').toBe(final.length)
    const missing = [...this.#inserted].filter((item) => !final.includes(item) && !this.#removed.has(item))
    expect(missing, 'items that are lost').toEqual([])
    expect(
      final.filter((item) => this.#removed.has(item)),
      'items that came back',
    ).toEqual([])
    for (const { provider, items } of this.#tabs()) {
      expect([...items]).toEqual(final)
      const level = this.#kind === 'foreign' ? 'received' : 'durable'
      expect([provider.synced, provider.unsavedChanges, provider.ackLevel]).toEqual([true, 0, level])
    }
  }
}
