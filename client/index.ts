/** `scriptorium/client`: the provider, and what goes with it. */
export type {
  ClientClock,
  DocumentStore,
  Environment,
  Page,
  PageEvent,
  SocketClass,
  SocketLike,
  StoreOpener,
  StoredDocument,
  Tabs,
} from './environment.ts'
export { InvalidOptionError } from '../shared/errors.ts'
export { AccessDeniedError, DestroyedError, ProviderError, ReadOnlyError } from './errors.ts'
export type { ProviderErrorCode } from './errors.ts'
export type { ProviderEvents } from './events.ts'
export type { ProviderOptions, TokenContext, TokenSource } from './options.ts'
export { WebsocketProvider } from './provider.ts'
export type { WaitOptions } from './provider.ts'
export type { MessageHandler } from './roomOwner.ts'
export type { AckLevel, Frame, LinkStatus, Scope, Stats, SyncStatus } from './status.ts'
export { systemEnvironment } from './systemEnvironment.ts'
export { messageAuth, messageAwareness, messageQueryAwareness, messageSync } from './wire.ts'
