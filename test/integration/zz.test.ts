import { test } from 'vitest'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { eventually } from '../support/eventually.ts'
import { HostileRoom } from '../support/hostileRoom.ts'
test('x', async () => {
  const engine = new FaultyEngine(new MemoryEngine())
  const room = await HostileRoom.open({ engine })
  const { reader } = room.here
  const flooder = await room.join('y-websocket')
  const release = engine.hold('append')
  for (let i = 0; i < 400; i++) flooder.doc.getArray('list').push([i + 'x'.repeat(50 * 1024)])
  await eventually(() => flooder.raw.socket.writableLength > 0, 'paused')
  process.stdout.write(`w ${flooder.raw.socket.writableLength}\n`)
  release()
  for (let i = 0; i < 6; i++) {
    await new Promise((r) => setTimeout(r, 500))
    process.stdout.write(`${reader.doc.getArray('list').length} w ${flooder.raw.socket.writableLength} calls ${engine.calls('append')} bytes ${await room.metric('scriptorium_received_bytes_total')} closed ${JSON.stringify(flooder.raw.closeFrame)} flooder got ${flooder.raw.bytesReceived} reader ${reader.raw.bytesReceived} ${JSON.stringify(reader.raw.frames.slice(-4))} ${reader.raw.isGone} ${JSON.stringify(reader.raw.closeFrame)} ${JSON.stringify(room.host.events.slice(-3).map(e=>({...e})))} \n`)
  }
})
