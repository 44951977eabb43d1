import * as decoding from 'lib0/decoding'
import { hocuspocusDialect, type MessageKind } from './dialect.ts'
import { clientFrame } from './frames.ts'
import { RawSocket } from './rawSocket.ts'

const EMPTY_STATE_VECTOR = Uint8Array.of(0)
const EMPTY_UPDATE = Uint8Array.of(0, 0)

/** One Hocuspocus socket that has many documents open. */
export class ManyDocuments {
  private readonly raw: RawSocket
  private readonly opened: Promise<void>
  private synced = 0
  /** Messages the server has said are saved; the empty answer to each of its SyncStep1 is one. */
  acknowledged = 0
  lastTime = 0
  closedBy: string | null = null

  private constructor(port: number, documents: readonly string[]) {
    let [done, fail] = [(): void => {}, (_error: Error): void => {}]
    this.opened = new Promise((resolve, reject) => {
      ;[done, fail] = [resolve, reject]
    })
    this.raw = new RawSocket(port, hocuspocusDialect.path(''), {
      open: () => {
        for (const document of documents) this.greet(document)
      },
      message: (source, start, end, time) => {
        this.lastTime = time
        this.receive(source.subarray(start, end))
        if (this.synced === documents.length) done()
      },
      closed: (reason) => {
        this.closedBy = reason
        fail(new Error(`connection lost: ${reason}`))
      },
    })
  }

  /** Resolves when the state of every document has been received. */
  static async open(port: number, documents: readonly string[]): Promise<ManyDocuments> {
    const socket = new ManyDocuments(port, documents)
    await socket.opened
    return socket
  }

  static updateFrame(document: string, update: Uint8Array): Buffer {
    return clientFrame(hocuspocusDialect.sync(document, 2, update))
  }

  send(frame: Buffer): void {
    this.raw.write(frame)
  }

  close(): void {
    this.raw.close()
  }

  private greet(document: string): void {
    const frames = hocuspocusDialect.greeting(document).map((payload) => clientFrame(payload))
    this.raw.write(...frames, clientFrame(hocuspocusDialect.sync(document, 0, EMPTY_STATE_VECTOR)))
  }

  private receive(bytes: Buffer): void {
    const kind: MessageKind = hocuspocusDialect.read(bytes).kind
    if (kind === 'ack') this.acknowledged++
    else if (kind === 'step2') this.synced++
    else if (kind === 'step1') {
      const document = decoding.readVarString(decoding.createDecoder(bytes))
      this.send(clientFrame(hocuspocusDialect.sync(document, 1, EMPTY_UPDATE)))
    }
  }
}
