import type { Decoder } from 'lib0/decoding'
import type { Encoder } from 'lib0/encoding'
import type { ObservableV2 } from 'lib0/observable'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import type { ProviderEvents } from './events.ts'

/** Reads the rest of a message of its type; what it writes is sent back. The signature is y-websocket's. */
// oxlint-disable-next-line max-params -- it is
export type MessageHandler<Provider> = (
  encoder: Encoder,
  decoder: Decoder,
  provider: Provider,
  emitSynced: boolean,
  messageType: number,
) => void

/** What a room needs of its provider: the events, and the fields that may change at any time, as in y-websocket. */
export interface RoomOwner<Provider> extends Pick<ObservableV2<ProviderEvents<Provider>>, 'emit'> {
  readonly doc: Doc
  readonly awareness: Awareness
  readonly serverUrl: string
  readonly roomname: string
  readonly bcChannel: string
  readonly messageHandlers: MessageHandler<Provider>[]
  params: Record<string, string>
  protocols: string[]
  maxBackoffTime: number
  shouldConnect: boolean
  shouldReconnect: (event: CloseEvent, provider: Provider) => boolean
}
