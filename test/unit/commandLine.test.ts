import { describe, expect, test } from 'vitest'
import { banner, isLoopback, warnings } from '../../server/cli/banner.ts'
import { readCommandLine, UsageError } from '../../server/cli/program.ts'
import { describeStartFailure } from '../../server/cli/startFailure.ts'
import { completeOptions, parseOptions } from '../../server/options/parse.ts'
import type { Options } from '../../server/options/table.ts'
import { StorageError } from '../../shared/errors.ts'

function run(...args: string[]) {
  const printed: string[] = []
  const output = { out: (text: string) => printed.push(text), width: 200 }
  const request = readCommandLine(args, '1.2.3', output)
  return { request, printed: printed.join('') }
}

function complaint(...args: string[]): string {
  try {
    run(...args)
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return 'accepted'
}

describe('command line', () => {
  test('only what the user wrote becomes a flag: a default must not hide the environment', () => {
    expect(run('serve').request).toEqual({ command: 'serve', flags: {} })
  })

  test('flags, short flags, switches and the directory', () => {
    const { request } = run('serve', 'here', '-p', '0', '--host', '::1', '--no-demo', '--no-metrics')
    const flags = { dataDir: 'here', port: '0', host: '::1', demo: false, metrics: false }
    expect(request).toEqual({ command: 'serve', flags })
  })

  test('what can be switched off can be switched on, against an environment that says otherwise; the last one counts', () => {
    expect(run('serve', '--demo').request).toEqual({ command: 'serve', flags: { demo: true } })
    expect(run('serve', '--demo', '--no-demo').request).toEqual({ command: 'serve', flags: { demo: false } })
    expect(run('serve', '--help').printed).not.toContain('  --demo')
  })

  test('--version prints the version', () => {
    expect(run('--version')).toEqual({ request: { command: 'none' }, printed: '1.2.3\n' })
  })

  test('--help names the command; serve --help names every option with default, unit and variable', () => {
    expect(run('--help').printed).toContain('serve')
    const { printed } = run('serve', '--help')
    expect(printed).toContain('-p, --port <number>')
    expect(printed).toContain('(default: 1234; env: SCRIPTORIUM_PORT, PORT)')
    expect(printed).toContain('(seconds; default: 10; env: SCRIPTORIUM_DRAIN_SECONDS)')
  })

  test.each([
    [['serve', '--prot', '1'], "Unknown option '--prot' (Did you mean --port?); see scriptorium --help."],
    [['serve', '--port'], "Option '-p, --port <number>' argument missing; see scriptorium --help."],
    [['start'], "Unknown command 'start'; see scriptorium --help."],
    [['--nonsense'], "Unknown option '--nonsense'; see scriptorium --help."],
    [[], 'No command was given; see scriptorium --help.'],
  ])('%j is refused in one sentence', (args, sentence) => {
    expect(complaint(...args)).toBe(sentence)
  })

  test('a surplus argument is refused in one sentence', () => {
    expect(complaint('serve', 'a', 'b')).toMatch(/^Too many arguments.*; see scriptorium --help\.$/)
  })
})

const listening = { url: 'http://127.0.0.1:4000', host: '127.0.0.1', port: 4000, durability: 'fsync' } as const

function announced(given: Partial<Options>): string {
  return banner({ version: '1.2.3', options: completeOptions({ dataDir: '/srv/docs', ...given }), listening })
}

describe('banner', () => {
  test('says where to go, where documents live and how durably, and who can connect', () => {
    const text = announced({})
    expect(text).toContain('http://127.0.0.1:4000')
    expect(text).toContain('ws://127.0.0.1:4000')
    expect(text).toContain('/srv/docs (fsync')
    expect(text).toContain('Authentication is off, so only this machine can connect')
    expect(text).not.toContain('WARNING')
  })

  test('a relative directory is shown as an absolute path', () => {
    expect(announced({ dataDir: './somewhere' })).toContain(`${process.cwd()}/somewhere`)
  })

  test.each(['0.0.0.0', '::', '192.168.1.5', 'example.org', '127.evil.org'])('%s is loudly not loopback', (host) => {
    const text = announced({ host })
    expect(text).toContain('WARNING')
    expect(text).toContain('everyone who reaches port 4000 can read and change every document')
    expect(text).not.toContain('only this machine')
  })

  test.each(['127.0.0.1', '127.8.9.1', '::1', 'localhost', '::ffff:127.0.0.1'])('%s is loopback', (host) => {
    expect(isLoopback(host)).toBe(true)
  })

  test('with Redis it says where, at which level, and never the password', () => {
    const text = banner({
      version: '1.2.3',
      options: completeOptions({
        redis: 'redis+sentinel://me:s3cret@a,b:1/documents',
        redisPrefix: 'team:',
        archive: 'postgres://me:s3cret@db/cold',
      }),
      listening: { ...listening, durability: 'everysec' },
    })
    expect(text).toContain(
      'redis+sentinel://a:26379,b:1/documents, keys team:*, and those nobody uses in postgres://me@db/cold (everysec: ',
    )
    expect(text).not.toContain('s3cret')
    expect(text).not.toContain('./data')
  })

  test('durability memory warns that nothing is kept', () => {
    const forgetful = { ...listening, durability: 'memory' } as const
    expect(warnings(completeOptions({ durability: 'memory' }), forgetful)).toEqual([
      expect.stringContaining('nothing is kept'),
    ])
  })
})

describe('a failed start is explained in one sentence', () => {
  const parsed = parseOptions({ flags: { port: '80' }, env: { HOST: 'x86-host' } })

  function failure(code: string): string {
    return describeStartFailure(Object.assign(new Error('listen failed'), { code }), parsed)
  }

  test('the port, or the host with where it came from', () => {
    expect(failure('EADDRINUSE')).toContain('x86-host port 80 is already in use')
    expect(failure('EACCES')).toContain('special rights')
    expect(failure('EADDRNOTAVAIL')).toBe('x86-host (HOST) is not an address of this machine.')
    expect(failure('ENOTFOUND')).toBe('x86-host (HOST) is not a host name that can be resolved.')
  })

  test('storage speaks for itself; anything else keeps its message', () => {
    expect(describeStartFailure(new StorageError('STORAGE_LOCKED', 'It is locked.'), parsed)).toBe('It is locked.')
    expect(describeStartFailure('odd', parsed)).toBe('odd')
  })
})
