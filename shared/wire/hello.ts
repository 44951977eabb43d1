import { encodeBuffer, varUintLength, writeVarUint } from './writer.ts'

/** Message number 112. Never sent uninvited: several clients throw on numbers they do not know. */
export const HELLO_TYPE = 112

/** Version of what client and server of this project say to one another beyond what every client knows. */
const HELLO_VERSION = 1

/**
 * The URL parameter by which a client asks for a hello, of version 1. Servers of others ignore it. Not a name that
 * applications give to parameters of their own: a client that does not know what it asks for cannot read the answer.
 */
export const HELLO_PARAMS = { hello: '1' } as const

/** What is answered, acknowledged or shown survives the end of the server's process. Of its own, so that bundlers inline it. */
export const FEATURE_DURABLE = 1

/** What a server can do, one bit each. A client ignores bits it does not know. */
export const Feature = { durable: FEATURE_DURABLE } as const

/**
 * The first message a server sends to a client that asked for it, after that client's first frame:
 * `70 buf(varUint version, varUint features)`. Later versions may append to the buffer.
 */
export function hello(features: number): Uint8Array {
  const payload = new Uint8Array(varUintLength(HELLO_VERSION) + varUintLength(features))
  writeVarUint(payload, writeVarUint(payload, 0, HELLO_VERSION), features)
  return encodeBuffer([HELLO_TYPE], payload)
}

/** Whether a client asked for it. `url`: the request target. */
export function wantsHello(url: string): boolean {
  const start = url.indexOf('?')
  return start !== -1 && /[?&]hello=1(&|#|$)/.test(url.slice(start))
}
