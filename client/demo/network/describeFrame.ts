import { decodeUpdate, Item } from 'yjs'
import { HELLO_TYPE } from '../../../shared/wire/hello.ts'
import { readAwareness } from '../../../shared/wire/awareness.ts'
import { MessageType } from '../../../shared/wire/messages.ts'
import { Reader } from '../../../shared/wire/reader.ts'

/** What a frame says, in words. */
export interface FrameWords {
  readonly name: string
  readonly detail: string
}

/** Bytes of an update that is taken apart; a larger one would hold the page up. */
const MAX_DECODED_BYTES = 64 * 1024
/** Characters of inserted text that are shown. */
const MAX_SHOWN_TEXT = 40
const SYNC_NAMES = ['SyncStep1', 'SyncStep2', 'Update'] as const

/** Reads a frame of the y-websocket family, from either side. Never throws: what cannot be read is said to be so. */
export function describeFrame(bytes: Uint8Array): FrameWords {
  try {
    const reader = new Reader(bytes)
    const words = [read(reader)]
    while (reader.remaining > 0) words.push(read(reader))
    return { name: words.map(({ name }) => name).join(' + '), detail: words.map(({ detail }) => detail).join('; ') }
  } catch (error) {
    return { name: 'Unreadable', detail: error instanceof Error ? error.message : '' }
  }
}

function read(reader: Reader): FrameWords {
  const type = reader.varUint()
  switch (type) {
    case MessageType.sync:
      return describeSync(reader.varUint(), reader.buffer())
    case MessageType.awareness:
      return { name: 'Awareness', detail: describePresence(reader.buffer()) }
    case MessageType.auth:
      return rest(reader, 'Auth')
    case MessageType.queryAwareness:
      return { name: 'QueryAwareness', detail: 'Who is here?' }
    case MessageType.probe:
      return { name: 'Probe', detail: `all up to edit ${new Reader(reader.buffer()).varUint()} on disk?` }
    case MessageType.countedUpdate:
      return { name: 'Update', detail: describeUpdate(reader.buffer()) }
    case MessageType.confirmation:
      return { name: 'Saved', detail: `${count(new Reader(reader.buffer()).varUint(), 'more update')} on disk` }
    case HELLO_TYPE:
      return { name: 'Hello', detail: describeHello(new Reader(reader.buffer())) }
    default:
      return rest(reader, `Message ${type}`)
  }
}

/** Of a length not known here: nothing behind it can be read. */
function rest(reader: Reader, name: string): FrameWords {
  reader.skip(reader.remaining)
  return { name, detail: '' }
}

function describeSync(type: number, payload: Uint8Array): FrameWords {
  const name = SYNC_NAMES[type] ?? `Sync ${type}`
  if (type !== 0) return { name, detail: describeUpdate(payload) }
  const clients = new Reader(payload).varUint()
  return { name, detail: clients === 0 ? 'I know nothing' : `I know ${count(clients, 'author')}` }
}

function describeUpdate(update: Uint8Array): string {
  if (update.length > MAX_DECODED_BYTES) return 'too large to be taken apart here'
  const { structs, ds } = decodeUpdate(update)
  const text = structs.map((struct) => (struct instanceof Item ? textOf(struct) : '')).join('')
  const shown = text.length > MAX_SHOWN_TEXT ? `${text.slice(0, MAX_SHOWN_TEXT)}…` : text
  const deleted = [...ds.clients.values()].flat().reduce((sum, { len }) => sum + len, 0)
  const parts = [
    structs.length === 0 ? '' : count(structs.length, 'struct'),
    shown === '' ? '' : `“${shown}”`,
    deleted === 0 ? '' : `deletes ${deleted}`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? 'nothing new' : parts.join(', ')
}

function textOf({ content }: Item): string {
  const { str } = content as { readonly str?: unknown }
  return typeof str === 'string' ? str : ''
}

function describePresence(states: Uint8Array): string {
  const entries = readAwareness(states)
  if (entries.length === 0) return 'keep-alive'
  return entries
    .map(({ client, clock, json }) => `${nameIn(json) ?? client} at ${clock}${json.length === 4 ? ' has left' : ''}`)
    .join(', ')
}

function nameIn(json: Uint8Array): string | undefined {
  const state: unknown = JSON.parse(new TextDecoder().decode(json))
  if (typeof state !== 'object' || state === null || !('user' in state)) return undefined
  const { user } = state
  return typeof user === 'object' && user !== null && 'name' in user && typeof user.name === 'string'
    ? user.name
    : undefined
}

function describeHello(payload: Reader): string {
  const version = payload.varUint()
  return `version ${version}, ${payload.varUint() % 2 === 1 ? 'what it confirms is on disk' : 'in memory only'}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
