import { describe, expect, test } from 'vitest'
import { Shutdown } from '../../server/cli/shutdown.ts'

function scene() {
  const exits: number[] = []
  const deadlines: number[] = []
  const timers: { milliseconds: number; task: () => void }[] = []
  const closing = withResolvers()
  const logged: string[] = []
  const write = (_fields: unknown, message?: string) => void logged.push(message ?? String(_fields))
  const shutdown = new Shutdown({
    server: {
      close: ({ deadlineMs }) => {
        deadlines.push(deadlineMs)
        return closing.promise
      },
    },
    logger: { info: write, warn: write, fatal: write },
    clock: {
      after: (milliseconds, task) => {
        timers.push({ milliseconds, task })
        return () => undefined
      },
    },
    drainSeconds: 10,
    exit: (code) => void exits.push(code),
  })
  return { shutdown, exits, deadlines, timers, closing, logged }
}

function withResolvers() {
  let resolve: () => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** Lets everything that is already decided happen. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('shutdown', () => {
  test('C131: a signal closes the server in order, then exits 0', async () => {
    const { shutdown, exits, closing, deadlines } = scene()
    shutdown.signal('SIGTERM')
    expect([exits, deadlines]).toEqual([[], [9000]])
    closing.resolve()
    await settle()
    expect(exits).toEqual([0])
  })

  test('C132: what cannot be stored was acknowledged to nobody: code 0, and a line that says so', async () => {
    const { shutdown, exits, closing, logged } = scene()
    shutdown.signal('SIGTERM')
    closing.reject(new Error('disk full'))
    await settle()
    expect(exits).toEqual([0])
    expect(logged.at(-1)).toContain('not everything could be stored')
  })

  test('C132: a close that never returns is cut short before the deadline', () => {
    const { shutdown, exits, timers } = scene()
    shutdown.signal('SIGTERM')
    expect(timers).toHaveLength(1)
    expect(timers[0]?.milliseconds).toBeLessThan(10_000)
    timers[0]?.task()
    expect(exits).toEqual([0])
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('C133: a second signal (%s) exits at once with %d', async (signal, code) => {
    const { shutdown, exits, closing, deadlines } = scene()
    shutdown.signal('SIGTERM')
    shutdown.signal(signal)
    expect(exits).toEqual([code])
    closing.resolve()
    await settle()
    expect([exits, deadlines]).toEqual([[code], [9000]])
  })

  test('C139: an error nobody caught closes in order and exits 1; a further one changes nothing', async () => {
    const { shutdown, exits, closing, deadlines } = scene()
    shutdown.crash(new Error('bug'))
    shutdown.crash(new Error('another'))
    expect(shutdown.stopping).toBe(true)
    closing.resolve()
    await settle()
    expect([exits, deadlines]).toEqual([[1], [9000]])
  })
})
