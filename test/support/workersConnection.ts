import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Protocol } from '../../server/observer.ts'
import { upgradeRequest } from './rawClient.ts'
import { encodeFrame, Opcode } from './rawFrames.ts'
import { hex, message, wires } from './rawMessages.ts'

/** How the bytes of a handshake reach the server. */
type Pace =
  /** The request, and the first frame when it has been answered: as browsers do it. */
  | 'polite'
  /** Request and first frame in one write. */
  | 'eager'
  /** The request, and then the first frame without waiting: it may arrive while the connection changes hands. */
  | 'hasty'
  /** The request in two writes. */
  | 'split'

const paces: readonly Pace[] = ['polite', 'eager', 'hasty', 'split']

interface Manner {
  readonly pace: Pace
  readonly protocol: Protocol
}

/** Milliseconds after which a connection counts as hanging; far above anything that works takes. */
const PATIENCE_MS = 10_000

export type Ending = 'served' | 'hanging' | 'lost' | `refused ${string}`

/** Opens a document and asks for its state; what became of it. The socket is gone then. */
function ask(port: number, document: string, { pace, protocol }: Manner): Promise<Ending> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let received = Buffer.alloc(0)
    const finish = (ending: Ending): void => {
      clearTimeout(timer)
      // Without TIME_WAIT: thousands of these would use up the ports.
      socket.resetAndDestroy()
      resolve(ending)
    }
    const timer = setTimeout(() => finish('hanging'), PATIENCE_MS)
    const wire = wires[protocol]
    const question = encodeFrame(Opcode.binary, wire.frame(document, message.step1(hex('00'))))
    socket.on('connect', () => greet(socket, Buffer.from(upgradeRequest(wire.path(document))), question, pace))
    socket.on('error', () => undefined)
    socket.on('close', () => finish('lost'))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const end = received.indexOf('\r\n\r\n')
      if (end === -1) return
      if (!received.toString('latin1').startsWith('HTTP/1.1 101')) return finish(refusal(received))
      // The server does not speak before it is spoken to: what has come so far is the answer to the handshake alone.
      if ((pace === 'polite' || pace === 'split') && received.length === end + 4) socket.write(question)
      if (received.length > end + 4) finish('served')
    })
  })
}

function greet(socket: Socket, request: Buffer, question: Buffer, pace: Pace): void {
  if (pace === 'polite') return void socket.write(request)
  if (pace === 'eager') return void socket.write(Buffer.concat([request, question]))
  const [first, second] = pace === 'hasty' ? [request, question] : [request.subarray(0, 30), request.subarray(30)]
  socket.setNoDelay(true)
  socket.write(first)
  setImmediate(() => socket.write(second))
}

function refusal(received: Buffer): `refused ${string}` {
  return `refused ${received.toString('latin1').slice(9, 12)}`
}

/** Opens `count` connections, at most `atOnce` at a time; how many of them ended how. */
export async function askMany(
  port: number,
  { count, atOnce, documents }: { count: number; atOnce: number; documents: number },
): Promise<Partial<Record<Ending, number>>> {
  const endings: Partial<Record<Ending, number>> = {}
  let next = 0
  const one = async (): Promise<void> => {
    while (next < count) {
      const number = next
      next += 1
      const pace = paces[number % paces.length] ?? 'polite'
      const protocol = number % 2 === Math.floor(number / paces.length) % 2 ? 'y-websocket' : 'hocuspocus'
      const ending = await ask(port, `document ${number % documents}`, { pace, protocol })
      endings[ending] = (endings[ending] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return endings
}
