import { createDecoder, readVarString } from 'lib0/decoding'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import { FakeClock, FakeDevice, FakeServer } from '../../client/testing/index.ts'
import type { Acceptor, LinkEnd, LinkListener } from '../../client/testing/index.ts'
import { readMessage } from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'
import { encodeString } from '../../shared/wire/writer.ts'
import { eventually } from '../support/eventually.ts'

/** What y-websocket clients may say to any server: sync, presence, and a question for presence. */
const SPOKEN_BY_ALL = new Set([0, 1, 3])
const AUTH = 2
const CLOSE = 7

/** A server that is not ours, and notes what it was sent that no such server knows. */
export class ForeignServer implements Acceptor {
  readonly #server: FakeServer

  constructor(server: FakeServer) {
    this.#server = server
  }

  accept(end: LinkEnd, url: URL): void {
    this.#server.accept(end, url)
    const { listener } = end
    if (listener === null) return
    end.listener = {
      onMessage: (message) => {
        assertSpokenByAll(message)
        listener.onMessage(message)
      },
      onClose: (close) => listener.onClose(close),
    }
  }
}

/** A server with somebody at the door: what a client says reaches it unless `isPassed` says no. */
export function guarded(server: Acceptor, isPassed: (frame: Uint8Array) => boolean): Acceptor {
  return {
    accept: (end, url) => {
      server.accept(end, url)
      const { listener } = end
      end.listener = {
        onMessage: (frame) => void (isPassed(frame) && listener?.onMessage(frame)),
        onClose: (close) => listener?.onClose(close),
      }
    },
  }
}

/** The code for shared sockets is loaded on demand, once, and in real time: before a test that has none. */
export async function loadSharedSockets(): Promise<void> {
  const clock = new FakeClock()
  const device = new FakeDevice({ clock, server: new SharedSocketServer(new FakeServer()) })
  const doc = new Y.Doc()
  const provider = new WebsocketProvider('ws://server.test', 'room', doc, {
    environment: device.environment,
    multiplex: true,
    connectTimeout: 1e9,
  })
  await eventually(async () => {
    await clock.advanceAsync(1)
    return device.network.opened > 0
  }, 'a shared socket is open')
  provider.destroy()
  doc.destroy()
}

/** One document's part of a shared socket, as an end of its own. */
class Part implements LinkEnd {
  listener: LinkListener | null = null
  readonly #end: LinkEnd
  readonly #prefix: Uint8Array

  constructor(end: LinkEnd, address: string) {
    this.#end = end
    this.#prefix = encodeString(address)
  }

  get state(): LinkEnd['state'] {
    return this.#end.state
  }

  get bufferedAmount(): number {
    return this.#end.bufferedAmount
  }

  send(message: Uint8Array): void {
    const frame = new Uint8Array(this.#prefix.length + message.length)
    frame.set(this.#prefix)
    frame.set(message, this.#prefix.length)
    this.#end.send(frame)
  }

  close(code?: number, reason?: string): void {
    this.#end.close(code, reason)
  }

  destroy(): void {
    this.#end.destroy()
  }
}

function assertKnown(address: string, message: Uint8Array): void {
  if (address.includes('\0')) throw new Error('an address with a session')
  if (message[0] === AUTH || message[0] === CLOSE) return
  assertSpokenByAll(message)
}

function assertSpokenByAll(message: Uint8Array): void {
  if (!SPOKEN_BY_ALL.has(message[0] ?? -1)) throw new Error(`uninvited frame ${String(message[0])}`)
  const reader = new Reader(message)
  readMessage(reader)
  if (reader.remaining > 0) throw new Error('a second message in one frame, which most servers do not read')
}

/** Hocuspocus' framing around a server that knows one document per connection. */
export class SharedSocketServer implements Acceptor {
  /** Tokens it was given, each with the address of its document. */
  readonly tokens: [string, string][] = []
  readonly #server: FakeServer
  readonly #isForeign: boolean

  /** @param isForeign it throws when it is sent what Hocuspocus servers do not know */
  constructor(server: FakeServer, isForeign = false) {
    this.#server = server
    this.#isForeign = isForeign
  }

  accept(end: LinkEnd, url: URL): void {
    const parts = new Map<string, Part>()
    end.listener = {
      onMessage: (frame) => {
        const decoder = createDecoder(frame)
        const address = readVarString(decoder)
        const message = frame.subarray(decoder.pos)
        if (this.#isForeign) assertKnown(address, message)
        if (message[0] === AUTH) this.tokens.push([address, readVarString(createDecoder(message.subarray(2)))])
        const part = parts.get(address) ?? this.#open(end, url, address)
        parts.set(address, part)
        if (message[0] !== CLOSE) return part.listener?.onMessage(message)
        parts.delete(address)
        part.listener?.onClose({ code: 1000, reason: '' })
      },
      onClose: (close) => {
        for (const part of parts.values()) part.listener?.onClose(close)
      },
    }
  }

  #open(end: LinkEnd, url: URL, address: string): Part {
    const part = new Part(end, address)
    const [name = ''] = address.split('\0')
    this.#server.accept(part, new URL(`${url.origin}/${encodeURIComponent(name)}${url.search}`))
    return part
  }
}
