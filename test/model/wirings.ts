import { ScriptoriumError } from '../../shared/errors.ts'
import { readMessage } from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'
import type { Channel } from '../../server/transport/channel.ts'
import { HocuspocusChannel } from '../../server/transport/hocuspocusChannel.ts'
import { YWebsocketChannel } from '../../server/transport/yWebsocketChannel.ts'
import type { SimClient, SimLink, Wiring } from './simClient.ts'
import type { World } from './world.ts'

/** As the transport does: what the server throws closes the connection that caused it; anything else fails the test. */
function guarded(link: SimLink, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof ScriptoriumError)) throw error
    link.fail(error)
  }
}

/** Straight to a `Session`, without channel or address. */
export function toSession(world: World) {
  return (link: SimLink, client: SimClient): Wiring => {
    const { dialect } = client
    const session = world.registry.open(client.document).join({ link, dialect })
    return {
      receive: (message) => guarded(link, () => session.receive(readMessage(new Reader(message)))),
      drained: () => session.drained(),
      end: () => session.end(),
    }
  }
}

/** Through the channel that the transport would pick, in bytes. */
export function toChannel(world: World) {
  return (link: SimLink, client: SimClient): Wiring => {
    const { registry, limits, clock } = world
    const { prefix } = client.dialect
    const channel: Channel =
      client.address === null
        ? new YWebsocketChannel(link, registry.open(client.document), world)
        : new HocuspocusChannel({ link, registry, limits, clock, observer: world })
    return {
      receive: (message) => guarded(link, () => channel.receive(Buffer.concat([prefix, message]))),
      drained: () => channel.drained(),
      end: () => channel.end(),
    }
  }
}
