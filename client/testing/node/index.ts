/** `scriptorium/testing/node`: a bad network between real sockets. Node only. */
export { SocketProxy } from './socketProxy.ts'
export type { SocketProxyOptions } from './socketProxy.ts'
export type { ProxyConditions } from './proxyConditions.ts'
export type { Silence } from './proxiedConnection.ts'
