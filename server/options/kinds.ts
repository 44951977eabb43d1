import * as z from 'zod/mini'

/** How one kind of value is written as text, checked, and described in the sentence that refuses a wrong one. */
export interface Kind<Value> {
  /** Checks a value that is already typed (an embedding program's). */
  readonly schema: z.ZodMiniType<Value>
  /** Reads what a command line or an environment variable holds; what cannot be read is handed to `schema` as it is. */
  readonly fromText: (text: string) => unknown
  /** Completes "… must be". */
  readonly expects: string
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
