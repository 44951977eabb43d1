import * as z from 'zod/mini'
import { isTarget, TARGET_FORMS } from '../engine/redis/target.ts'

/** How one kind of value is written as text, checked, and described in the sentence that refuses a wrong one. */
export interface Kind<Value> {
  /** Checks a value that is already typed (an embedding program's). */
  readonly schema: z.ZodMiniType<Value>
  /** Reads what a command line or an environment variable holds; what cannot be read is handed to `schema` as it is. */
  readonly fromText: (text: string) => unknown
  /** Completes "… must be". */
  readonly expects: string
  /** True when the value may hold a password: a wrong one is refused without being repeated. */
  readonly secret?: true
}

export function wholeNumber(min: number, max: number): Kind<number> {
  return {
    schema: z.int().check(z.gte(min), z.lte(max)),
    // Digits only: Number('') is 0, Number('0x10') is 16, and neither is what somebody meant by a port.
    fromText: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
    expects: `a whole number from ${String(min)} to ${String(max)}`,
  }
}

export function choice<const Values extends readonly [string, ...string[]]>(values: Values): Kind<Values[number]> {
  return { schema: z.enum(values), fromText: (text) => text, expects: `one of ${values.join(', ')}` }
}

/** More processes than any machine has cores are a mistake. */
const MAX_PROCESSES = 256

export const processCount: Kind<number | 'auto'> = {
  schema: z.union([z.literal('auto'), z.int().check(z.gte(1), z.lte(MAX_PROCESSES))]),
  fromText: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
  expects: `a whole number from 1 to ${String(MAX_PROCESSES)}, or auto`,
}

const switchWords = new Map([
  ['true', true],
  ['on', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['off', false],
  ['no', false],
  ['0', false],
])

export const onOff: Kind<boolean> = {
  schema: z.boolean(),
  fromText: (text) => switchWords.get(text.toLowerCase()) ?? text,
  expects: 'on or off (also true/false, yes/no, 1/0)',
}

export const hostName: Kind<string> = {
  // An address or a name, nothing else: "http://host" or "host:1234" would only fail later and in other words.
  schema: z.string().check(
    z.maxLength(253),
    z.regex(/^(?:[\w.-]+|[\da-fA-F:.]*:[\da-fA-F:.]*(?:%[\w.-]+)?)$/),
    z.refine((host) => !/^[\w.-]+:\d+$/.test(host)),
  ),
  fromText: (text) => text,
  expects: 'an IP address or a host name, without scheme and port',
}

export const directory: Kind<string> = {
  schema: z.string().check(
    z.minLength(1),
    z.refine((path) => !path.includes('\0')),
  ),
  fromText: (text) => text,
  expects: 'a path',
}

/** Where an archive is; the empty string stands for none. */
export const archiveUrl: Kind<string> = {
  schema: z
    .string()
    .check(z.refine((url) => url === '' || (/^(?:postgres(?:ql)?|s3(?:\+http)?):\/\//.test(url) && URL.canParse(url)))),
  fromText: (text) => text,
  expects: 'an address such as postgres://user:password@host:5432/database or s3://key:secret@host/bucket',
  secret: true,
}

/** Where Redis is; the empty string stands for none. */
export const redisUrl: Kind<string> = {
  schema: z.string().check(z.refine((url) => url === '' || isTarget(url))),
  fromText: (text) => text,
  expects: TARGET_FORMS,
  secret: true,
}

export const keyPrefix: Kind<string> = {
  // Braces would decide where a cluster keeps a key.
  schema: z.string().check(z.regex(/^[\w.:/-]{0,64}$/)),
  fromText: (text) => text,
  expects: 'at most 64 letters, digits and . : / - _',
}
