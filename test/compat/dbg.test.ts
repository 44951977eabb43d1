import { test } from 'vitest'
import { openClient, namesSeenBy } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { Proxy } from '../support/proxy.ts'
import { TestServer } from '../support/testServer.ts'
import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
test('dbg', { timeout: 60000 }, async () => {
  const server = await TestServer.start()
  const proxy = await Proxy.start(server.port)
  const t0 = performance.now()
  const log = (s: string) => appendFileSync('/tmp/dbg.log', `${(performance.now() - t0).toFixed(0)} ${s}\n`)
  const w = openClient('hocuspocus 4', server.url, 'room', { presence: { name: 'watcher' } })
  const r = openClient((process.env['K'] ?? 'y-websocket 1') as 'y-websocket 1', proxy.url, 'room', { presence: { name: 'r' } })
  await eventually(() => namesSeenBy(w).length === 2, 'x')
  w.awareness.on('update', () => log(`watcher sees ${JSON.stringify(w.awareness.getStates().get(r.doc.clientID))} clock ${w.awareness.meta.get(r.doc.clientID)?.clock}`))
  r.awareness.on('update', (_: unknown, o: unknown) => log(`r own ${JSON.stringify(r.awareness.getLocalState())} clock ${r.awareness.meta.get(r.doc.clientID)?.clock} origin ${typeof o === 'string' ? o : 'remote'}`))
  proxy.goSilent()
  r.sockets.at(-1)?.terminate()
  await eventually(() => r.sockets.length > 1 && r.synced, 'back')
  log('back; sockets ' + r.sockets.length)
  r.awareness.setLocalStateField('back', 1)
  await pause(9000)
  log(`disconnected ${server.count('disconnected')} sockets ${r.sockets.length}`)
  r.destroy(); w.destroy(); proxy.dispose(); await server.dispose()
})
