import { createRequire } from 'node:module'
import { isatty } from 'node:tty'
import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'
import type * as PinoPretty from 'pino-pretty'
import type { Options } from './options/table.ts'

export type { Logger } from 'pino'

export interface LogTarget extends DestinationStream {
  /** True when a person reads along; decides what the format `auto` means. */
  readonly isTerminal: boolean
  /** True when colours may be used. */
  readonly hasColours: boolean
}

/** Standard output, written synchronously: the line before an exit is the one that matters. */
export function standardOutput(): LogTarget {
  const file = pino.destination({ dest: 1, sync: true })
  const isTerminal = isatty(1)
  return {
    write: (line) => {
      file.write(line)
    },
    isTerminal,
    hasColours: isTerminal && process.stdout.hasColors(),
  }
}

/** The format that `auto` stands for, given where the log goes. */
export function resolveFormat(format: Options['logFormat'], target: LogTarget): 'pretty' | 'json' {
  if (format === 'auto') return target.isTerminal ? 'pretty' : 'json'
  return format
}

/** JSON lines for machines, or one readable line per entry for people. Never asynchronous. */
export function createLogger(options: Pick<Options, 'logLevel' | 'logFormat'>, target: LogTarget): Logger {
  const pretty = resolveFormat(options.logFormat, target) === 'pretty'
  return pino(
    {
      level: options.logLevel,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    pretty ? prettyTarget(target) : jsonTarget(target),
  )
}

interface DescribedError {
  readonly type: string
  readonly code?: string
  readonly message: string
  readonly stack: string
  readonly cause?: DescribedError
}

/** The stack without the message: the message may hold a document name, and a name may hold anything. */
function describeError(error: unknown): DescribedError | string {
  if (!(error instanceof Error)) return String(error)
  const { stack = '', message, cause } = error
  const frames = stack.slice(message === '' ? 0 : Math.max(stack.indexOf(message), 0) + message.length)
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const below = cause instanceof Error ? (describeError(cause) as DescribedError) : undefined
  return {
    type: error.name,
    ...code,
    message,
    stack: frames.replace(/^[^\n]*\n/, ''),
    ...(below === undefined ? {} : { cause: below }),
  }
}

function jsonTarget(target: DestinationStream): DestinationStream {
  return {
    write: (line) => {
      target.write(line.replace(invisible, jsonEscape))
    },
  }
}

function prettyTarget(target: LogTarget): DestinationStream {
  // Loaded for people only: it would be a tenth of what a server in a container starts with.
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty
  const format = prettyFactory({
    colorize: target.hasColours,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  })
  return {
    write: (line) => {
      target.write(format(printableValue(JSON.parse(line))))
    },
  }
}

/**
 * Characters that a terminal obeys instead of showing, beyond those below U+0020 that JSON escapes anyway: DEL and the
 * C1 controls (U+009B begins an escape sequence), format characters (right-to-left override), line separators.
 */
const invisible = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu
const control = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

function jsonEscape(character: string): string {
  return Array.from({ length: character.length }, (_, at) => unicodeEscape(character.charCodeAt(at))).join('')
}

function unicodeEscape(unit: number): string {
  return String.raw`\u` + unit.toString(16).padStart(4, '0')
}

/** The text with everything a terminal would obey written out, so that a document name cannot forge a log line. */
function printable(text: string): string {
  return text.replace(control, (character) => {
    if (character === '\n') return String.raw`\n`
    return jsonEscape(character)
  })
}

function printableValue(value: unknown): unknown {
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) return value.map(printableValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [printable(key), printableField(key, inner)]))
}

/** A stack keeps its lines; they are our own file names and are indented below the entry they belong to. */
function printableField(key: string, value: unknown): unknown {
  if (key !== 'stack' || typeof value !== 'string') return printableValue(value)
  return value.split('\n').map(printable).join('\n')
}
