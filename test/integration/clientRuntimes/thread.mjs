import { parentPort, workerData } from 'node:worker_threads'
import { runSession } from './session.mjs'

/** @type {{ readonly url: string, readonly room: string }} */
const { url, room } = workerData

await runSession(url, room, (line) => parentPort?.postMessage(line))
