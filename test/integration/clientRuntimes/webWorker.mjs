import { runSession } from './session.mjs'

addEventListener('message', (event) => {
  /** @type {{ readonly url: string, readonly room: string }} */
  const { url, room } = event.data
  void runSession(url, room, (line) => postMessage(line))
})
