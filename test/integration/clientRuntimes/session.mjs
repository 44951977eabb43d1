import * as Y from 'yjs'
import { WebsocketProvider } from '../../../dist/client/index.js'

/**
 * What a program does with the client, whatever runs it: connect, edit, save, lose the connection, edit, come back, save,
 * destroy. After the last line nothing may keep the program alive.
 *
 * @param {string} url
 * @param {string} room
 * @param {(line: string) => void} say
 */
export async function runSession(url, room, say) {
  const doc = new Y.Doc()
  const text = doc.getText('text')
  const provider = new WebsocketProvider(url, room, doc)
  await provider.whenSynced
  text.insert(0, 'one ')
  provider.awareness.setLocalStateField('name', room)
  await provider.whenSaved()
  const lost = new Promise((resolve) => provider.on('connection-close', resolve))
  say('saved')
  await lost
  text.insert(text.length, 'two')
  await provider.whenSaved()
  say(`${text.toJSON()}, ${provider.ackLevel}, reconnected ${provider.stats.reconnects > 0}`)
  provider.destroy()
  doc.destroy()
}
