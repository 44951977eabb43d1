import { describe, expect, test } from 'vitest'
import { createLogger, resolveFormat } from '../../server/log.ts'
import { createLogObserver } from '../../server/logObserver.ts'
import type { ServerEvent } from '../../server/observer.ts'
import { MalformedFrameError, StorageError } from '../../shared/errors.ts'

type Format = 'pretty' | 'json'

function record(logFormat: Format, logLevel: 'info' | 'debug' = 'info') {
  const written: string[] = []
  const target = { write: (text: string) => void written.push(text), isTerminal: false, hasColours: false }
  const logger = createLogger({ logLevel, logFormat }, target)
  const time = { now: 0 }
  const observer = createLogObserver(logger, { now: () => time.now }, 3)
  return { written, logger, time, observe: observer.observe.bind(observer) }
}

function parsed(lines: readonly string[]): Record<string, unknown>[] {
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

const remote = '10.0.0.1:5000'
const rejected = { type: 'rejected', error: new MalformedFrameError('bad frame'), code: 1007, remote } as const
const failing: ServerEvent = { type: 'storageFailing', error: new StorageError('STORAGE_UNAVAILABLE', 'disk full') }

const chosen: readonly (readonly [string, (text: string) => ServerEvent])[] = [
  ['reasons of refusing', (text) => ({ type: 'refused', status: 400, reason: text, remote })],
  ['addresses of the refused', (text) => ({ type: 'refused', status: 400, reason: 'bad', remote: text })],
  ['reasons of closing', (text) => ({ type: 'rejected', error: new MalformedFrameError(text), code: 1007, remote })],
  ['addresses of the closed', (text) => ({ ...rejected, remote: text })],
  ['addresses of those who come', (text) => ({ type: 'connected', protocol: 'y-websocket', remote: text })],
  ['close codes', (text) => ({ type: 'disconnected', protocol: 'y-websocket', code: 4000 + Number(text), remote })],
  ['types nobody knows', (text) => ({ type: 'ignored', protocol: 'hocuspocus', messageType: Number(text) })],
  ['documents', (text) => ({ type: 'poisoned', document: text, error: new Error('broken') })],
]

describe('log', () => {
  test('auto is pretty on a terminal and JSON elsewhere', () => {
    const target = { write: () => undefined, hasColours: false }
    expect(resolveFormat('auto', { ...target, isTerminal: true })).toBe('pretty')
    expect(resolveFormat('auto', { ...target, isTerminal: false })).toBe('json')
  })

  test('JSON: one object per line with level, time and message', () => {
    const { written, logger } = record('json')
    logger.info({ document: 'a' }, 'hello')
    const expected = { level: 'info', msg: 'hello', document: 'a', time: expect.stringMatching(/^\d{4}-.*Z$/) }
    expect(parsed(written)).toEqual([expected])
    expect(written[0]).toMatch(/\}\n$/)
  })

  test('an error keeps type, code, message, stack and cause', () => {
    const { written, observe } = record('json')
    const error = new StorageError('STORAGE_UNAVAILABLE', 'cannot write', new Error('ENOSPC'))
    observe({ type: 'commitFailed', document: 'd', error, retryIn: 250 })
    const [line] = parsed(written)
    expect(line).toMatchObject({
      level: 'error',
      document: 'd',
      retryInMs: 250,
      err: { type: 'StorageError', code: 'STORAGE_UNAVAILABLE', message: 'cannot write', cause: { message: 'ENOSPC' } },
    })
    expect(line).toMatchObject({ err: { stack: expect.stringMatching(/^ +at /) } })
  })

  test('ordinary work is not logged', () => {
    const { written, observe } = record('json', 'debug')
    observe({ type: 'unloaded', document: 'd' })
    observe({ type: 'compacted', document: 'd', bytes: 1, result: 'done' })
    observe({ type: 'committed', document: 'd', updates: 1, bytes: 1, milliseconds: 1, recipients: 1 })
    observe({ type: 'loaded', document: 'd', milliseconds: 1, damaged: false })
    expect(written).toEqual([])
  })

  test('a damaged document is an error, recovery is told', () => {
    const { written, observe } = record('json')
    observe({ type: 'loaded', document: 'd', milliseconds: 1, damaged: true })
    observe(failing)
    observe({ type: 'storageRecovered' })
    expect(parsed(written).map((line) => line['level'])).toEqual(['error', 'error', 'info'])
  })
})

describe('C76: a flood of bad clients cannot fill the disk', () => {
  test('so many lines per second and kind; the next one tells how many were left out', () => {
    const { written, observe, time } = record('json')
    for (let n = 0; n < 1000; n++) observe(rejected)
    expect(written).toHaveLength(3)
    time.now = 1000
    observe(rejected)
    observe(rejected)
    expect(parsed(written).map((line) => line['suppressed'])).toEqual([undefined, undefined, undefined, 997, undefined])
  })

  test('one kind does not use up the lines of another', () => {
    const { written, observe } = record('json')
    for (let n = 0; n < 1000; n++) observe(rejected)
    observe(failing)
    expect(parsed(written).at(-1)).toMatchObject({ level: 'error', err: { message: 'disk full' } })
  })

  test.each(chosen)('what a client chooses does not make a kind: %s share one budget', (_what, event) => {
    const { written, observe } = record('json', 'debug')
    for (let n = 0; n < 100; n++) observe(event(String(n)))
    expect(written).toHaveLength(3)
  })
})

// A name that tries: a new line that looks like ours, an ANSI escape, a C1 escape, a right-to-left override.
const hostile = 'x\n{"level":"fatal"}\r\u001b[2J\u009b2J\u202e\u2028y'

// What a terminal would obey; new lines are looked at below.
const obeyed = ['\r', '\u001b', '\u009b', '\u202e', '\u2028']

describe('C59: a document name cannot forge or hide log lines', () => {
  test.each(['json', 'pretty'] as const)('%s: in a field, in an error and its cause, in a message', (format) => {
    const { written, observe, logger } = record(format)
    observe({ type: 'loaded', document: hostile, milliseconds: 1, damaged: true })
    observe({
      type: 'loadFailed',
      document: hostile,
      error: new Error(hostile, { cause: new Error(hostile) }),
      retryIn: 1,
    })
    logger.error(new Error(hostile))
    logger.warn(hostile)
    expect(written).toHaveLength(4)
    for (const text of written) {
      expect(obeyed.filter((character) => text.includes(character))).toEqual([])
      expect(text).not.toMatch(/^\{"level":"fatal"\}/m)
      expect(text).toMatch(/\n$/)
    }
    const lines = written.join('').split('\n')
    expect(lines.filter((line) => line !== '' && !/^\s/.test(line))).toHaveLength(4)
  })

  test('JSON: escaping loses nothing', () => {
    const { written, observe } = record('json')
    observe({ type: 'loaded', document: `${hostile}😀`, milliseconds: 1, damaged: true })
    expect(parsed(written)[0]?.['document']).toBe(`${hostile}😀`)
  })
})
