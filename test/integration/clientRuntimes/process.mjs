import process from 'node:process'
import { runSession } from './session.mjs'

const [url = '', room = ''] = process.argv.slice(2)
await runSession(url, room, (line) => process.stdout.write(`${line}\n`))
