import { expect } from 'vitest'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import type { ProviderOptions } from '../../client/index.ts'
import { FakeClock, FakeDevice, FakeServer } from '../../client/testing/index.ts'
import type { Acceptor, Dialect, LinkEnd, NetworkConditions } from '../../client/testing/index.ts'
import type { ClientMessage } from '../../shared/wire/messages.ts'
import { readMessage } from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'

export const ROOM = 'room'
export const SERVER_URL = 'ws://server.test'

export type Options = ProviderOptions<WebsocketProvider>

/** A provider in a world without real time, and what it has told. */
export interface Opened {
  readonly provider: WebsocketProvider
  readonly doc: Y.Doc
  /** Names of states of its link, oldest first. */
  readonly states: string[]
  /** Messages to the server, as they were sent. */
  readonly sent: Uint8Array[]
  readonly type: (text: string) => void
  readonly text: string
}

/** What a frame holds. */
export function messagesIn(frame: Uint8Array): ClientMessage[] {
  const reader = new Reader(frame)
  const messages: ClientMessage[] = []
  while (reader.remaining > 0) messages.push(readMessage(reader))
  return messages
}

/** First byte of what was sent, or the first two: `0 2` is an Update, `0 1` a SyncStep2, `102` a probe. */
export function kinds(sent: readonly Uint8Array[]): string[] {
  return sent.map(([first, second]) => (first === 0 ? `${String(first)} ${String(second)}` : String(first)))
}

/** A server, a clock, and any number of devices. */
export class ClientWorld {
  readonly clock = new FakeClock()
  readonly server: FakeServer
  /** Addresses of all connections so far. */
  readonly urls: URL[] = []
  readonly #acceptor: Acceptor
  readonly #ends: LinkEnd[] = []
  readonly #opened: Opened[] = []
  #seed = 0
  #refusal: number | null = null

  constructor(options: { readonly dialect?: Dialect; readonly wrap?: (server: FakeServer) => Acceptor } = {}) {
    this.server = new FakeServer(options)
    this.#acceptor = options.wrap?.(this.server) ?? this.server
  }

  device(conditions: Partial<NetworkConditions> = {}): FakeDevice {
    this.#seed += 1
    const server: Acceptor = {
      accept: (end, url) => {
        this.#ends.push(end)
        this.urls.push(url)
        this.#acceptor.accept(end, url)
        if (this.#refusal !== null) end.close(this.#refusal)
      },
    }
    return new FakeDevice({ clock: this.clock, server, seed: this.#seed, conditions })
  }

  open(device: FakeDevice, options: Options = {}, room: string = ROOM): Opened {
    const doc = new Y.Doc()
    const provider = new WebsocketProvider(SERVER_URL, room, doc, {
      environment: device.environment,
      disableBc: true,
      ...options,
    })
    const text = doc.getText('text')
    const states: string[] = [provider.linkStatus.name]
    const sent: Uint8Array[] = []
    provider.on('link', ({ name }) => states.push(name))
    provider.on('frame', ({ direction, bytes }) => void (direction === 'out' && sent.push(bytes)))
    const opened: Opened = {
      provider,
      doc,
      states,
      sent,
      type: (added) => text.insert(text.length, added),
      get text() {
        return text.toJSON()
      },
    }
    this.#opened.push(opened)
    return opened
  }

  /** The same, and a second later: in sync, and what was said until then is forgotten. */
  async openSynced(options: Options = {}, device = this.device()): Promise<Opened & { readonly device: FakeDevice }> {
    const opened = this.open(device, options)
    await this.pass(1_000)
    expect(opened.provider.synced).toBe(true)
    opened.sent.length = 0
    return { ...opened, device }
  }

  /** Lets `milliseconds` pass. */
  pass(milliseconds: number): Promise<void> {
    return this.clock.advanceAsync(milliseconds)
  }

  /** The server closes all connections. */
  close(code: number, reason = ''): void {
    for (const end of this.#ends.splice(0)) end.close(code, reason)
  }

  /** The server closes all connections, and every new one. */
  refuseAll(code: number): void {
    this.#refusal = code
    this.close(code)
  }

  /** The server says this, to everybody. */
  say(message: Uint8Array): void {
    for (const end of this.#ends) end.send(message)
  }

  get saved(): string {
    return this.server.document(ROOM).getText('text').toJSON()
  }

  destroy(): void {
    for (const { provider, doc } of this.#opened) {
      provider.destroy()
      doc.destroy()
    }
  }
}
