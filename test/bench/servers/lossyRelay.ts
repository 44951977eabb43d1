import { createServer } from 'node:http'
import { WebSocketServer, type WebSocket } from 'ws'

/**
 * Relays y-websocket frames within a room, keeps nothing, and drops every hundredth frame it should have relayed. A
 * benchmark that calls this server healthy is broken: `npm run bench -- --servers lossy-relay --only room50,quiet`.
 */
const DROP_EVERY = 100
const STEP1_EMPTY = Uint8Array.of(0, 0, 1, 0)
const STEP2_EMPTY = Uint8Array.of(0, 1, 2, 0, 0)

const rooms = new Map<string, Set<WebSocket>>()
let relayed = 0

const http = createServer((_request, response) => {
  response.end('ok')
})
const sockets = new WebSocketServer({ server: http })

sockets.on('connection', (socket, request) => {
  const room = rooms.get(request.url ?? '/') ?? new Set<WebSocket>()
  rooms.set(request.url ?? '/', room)
  room.add(socket)
  socket.send(STEP1_EMPTY)
  socket.on('close', () => {
    room.delete(socket)
  })
  socket.on('message', (data: Buffer) => {
    if (data[0] === 0 && data[1] === 0) socket.send(STEP2_EMPTY)
    else if (data[0] === 102) socket.send(data)
    else if (!(data[0] === 0 && data[1] === 1)) relay(room, data)
  })
})

function relay(room: ReadonlySet<WebSocket>, data: Buffer): void {
  for (const socket of room) {
    relayed++
    if (relayed % DROP_EVERY !== 0) socket.send(data)
  }
}

http.listen(Number(process.env['PORT']), '127.0.0.1')
