import { readdir, readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { describe, expect, test } from 'vitest'
import { describeFrame } from '../../client/demo/network/describeFrame.ts'
import { inkOn, luminance, PALETTE } from '../../client/demo/people/palette.ts'
import { initials, inventPerson, readPerson } from '../../client/demo/people/person.ts'
import { describe as say } from '../../client/demo/status/words.ts'
import type { Facts } from '../../client/demo/status/words.ts'
import { withoutStyles } from '../../client/demo/text/pastedStyles.ts'
import { hello } from '../../shared/wire/hello.ts'
import {
  awareness,
  confirmation,
  countedUpdate,
  KEEP_ALIVE,
  syncStep1,
  syncUpdate,
} from '../../shared/wire/messages.ts'

const BUILT = fileURLToPath(new URL('../../dist/client/demo/', import.meta.url))
const LEVELS = ['durable', 'received', 'none'] as const
const TOKENS = new URL('../../client/demo/styles/tokens.css', import.meta.url)

describe('the words of the status line', () => {
  const open: Facts = {
    link: { name: 'open', since: 0 },
    isSynced: true,
    scope: 'read-write',
    ackLevel: 'durable',
    unsaved: 0,
    isSettled: true,
    isOffline: false,
    isKept: true,
  }
  const waiting = { name: 'waiting', attempt: 1, retryAt: 5_000 } as const

  test.each<[string, Partial<Facts>]>([
    ['Saved', {}],
    ['Saving…', { unsaved: 1 }],
    ['Saving…', { isSettled: false }],
    ['Saving…', { unsaved: 1, isSynced: false }],
    ['Connecting…', { isSynced: false }],
    ['Received by the server', { ackLevel: 'received' }],
    ['Received by the server', { ackLevel: 'none' }],
    ['Read-only', { scope: 'readonly', unsaved: 3 }],
    ['Connecting…', { link: { name: 'connecting', attempt: 0 } }],
    ['Offline: 2 changes kept on this device', { link: { name: 'connecting', attempt: 0 }, unsaved: 2 }],
    ['Reconnecting', { link: { name: 'connecting', attempt: 3 } }],
    ['Reconnecting', { link: waiting }],
    ['Offline', { link: waiting, isOffline: true }],
    ['Offline: 1 change kept on this device', { link: waiting, unsaved: 1 }],
    ['Offline: 12 changes kept in this tab', { link: waiting, unsaved: 12, isKept: false }],
    ['Offline: 3 changes kept on this device', { link: { name: 'offline' }, unsaved: 3 }],
    ['No access: room is closed', { link: { name: 'denied', code: 4403, reason: 'room is closed' } }],
    ['No access: the server refused', { link: { name: 'denied', code: 4400, reason: '' } }],
  ])('%s', (words, facts) => {
    expect(say({ ...open, ...facts }).text).toBe(words)
  })

  test('P1: "Saved" is said in one case only: open, in sync, everything on the server’s disk', () => {
    const links = [
      open.link,
      waiting,
      { name: 'connecting', attempt: 0 },
      { name: 'offline' },
      { name: 'closed' },
    ] as const
    const facts: Facts[] = []
    for (const link of links) {
      for (const isSynced of [true, false]) {
        for (const ackLevel of LEVELS) {
          facts.push({ ...open, link, isSynced, ackLevel }, { ...open, link, isSynced, ackLevel, unsaved: 1 })
        }
      }
    }
    expect(facts.filter((each) => say(each).text === 'Saved')).toEqual([open])
  })

  test('what is waited for is counted down, unless there is no network to wait for', () => {
    expect(say({ ...open, link: waiting }).retryAt).toBe(5_000)
    expect(say({ ...open, link: waiting, isOffline: true }).retryAt).toBe(null)
  })
})

describe('colours', () => {
  test.each(['light', 'dark'] as const)(
    '%s: every text has a contrast of 4.5 on every ground, edges of 3',
    async (scheme) => {
      const tokens = await readTokens(scheme)
      const color = (name: string): string => tokens.get(name) ?? ''
      const low: string[] = []
      const check = (text: string, ground: string, least: number): void => {
        const reached = contrast(color(text), color(ground))
        if (!(reached >= least)) low.push(`${text} on ${ground}: ${reached}`)
      }
      for (const ground of ['desk', 'paper', 'sunken']) {
        for (const text of ['ink', 'faded', 'accent', 'good', 'warn', 'link']) check(text, ground, 4.5)
        check('edge', ground, 3)
      }
      for (const name of ['accent', 'good', 'warn']) check(name, `${name}-soft`, 4.5)
      check('ink', 'warn-soft', 4.5)
      check('on-accent', 'accent', 4.5)
      for (const person of PALETTE) if (contrast(person, color('paper')) < 3) low.push(person)
      expect(low).toEqual([])
    },
  )

  test('names are readable on the colours people have', () => {
    for (const color of [...PALETTE, '#ffffff', '#000000', '#777777', '#ffff00']) {
      expect(contrast(inkOn(color), color)).toBeGreaterThanOrEqual(4.5)
    }
  })
})

describe('frames in words', () => {
  const update = (change: (doc: Y.Doc) => void): Uint8Array => {
    const doc = new Y.Doc()
    change(doc)
    return Y.encodeStateAsUpdate(doc)
  }

  test('an update says what it inserts and deletes', () => {
    const inserted = update((doc) => doc.getText('t').insert(0, 'hello'))
    expect(describeFrame(syncUpdate(inserted))).toEqual({ name: 'Update', detail: '1 struct, “hello”' })
    const deleted = update((doc) => {
      doc.getText('t').insert(0, 'hello')
      doc.getText('t').delete(1, 3)
    })
    expect(describeFrame(syncUpdate(deleted)).detail).toContain('deletes 3')
    expect(describeFrame(syncUpdate(new Uint8Array([0, 0]))).detail).toBe('nothing new')
  })

  test('the others', () => {
    expect(describeFrame(syncStep1(new Uint8Array([0])))).toEqual({ name: 'SyncStep1', detail: 'I know nothing' })
    expect(describeFrame(KEEP_ALIVE)).toEqual({ name: 'Awareness', detail: 'keep-alive' })
    const json = new TextEncoder().encode('{"user":{"name":"Ada"}}')
    const states = new Uint8Array([1, 5, 2, json.length, ...json])
    expect(describeFrame(awareness(states)).detail).toBe('Ada at 2')
    const left = new Uint8Array([1, 5, 2, 4, ...new TextEncoder().encode('null')])
    expect(describeFrame(awareness(left)).detail).toBe('5 at 2 has left')
    expect(describeFrame(hello(1)).detail).toContain('on disk')
    expect(describeFrame(new Uint8Array([...syncStep1(new Uint8Array([0])), ...KEEP_ALIVE]))).toEqual({
      name: 'SyncStep1 + Awareness',
      detail: 'I know nothing; keep-alive',
    })
    expect(describeFrame(new Uint8Array([102, 1, 7])).detail).toContain('edit 7')
    expect(describeFrame(confirmation(2))).toEqual({ name: 'Saved', detail: '2 more updates on disk' })
    expect(describeFrame(countedUpdate(new Uint8Array([0, 0])))).toEqual({ name: 'Update', detail: 'nothing new' })
  })

  test('what cannot be read is said to be so', () => {
    for (const bytes of [[], [0], [0, 2, 200], [1, 4, 1], [1, 5, 1, 1, 1, 1, 123], [0, 2, 1, 9]]) {
      expect(describeFrame(new Uint8Array(bytes)).name).toBe('Unreadable')
    }
  })
})

test('people: two who share a browser do not get the same name', () => {
  const { name } = inventPerson()
  expect(Array.from({ length: 2_000 }, () => inventPerson(name).name)).not.toContain(name)
})

test('people: whatever others send is cut to what can be shown', () => {
  expect(readPerson({ name: ' Ada ', color: '#ABCDEF' })).toEqual({ name: 'Ada', color: '#ABCDEF' })
  expect(readPerson({ name: 'x'.repeat(99), color: 'url(x)' })).toEqual({ name: 'x'.repeat(32), color: '#64748b' })
  for (const nobody of [null, 1, {}, { name: '' }, { name: 5 }]) expect(readPerson(nobody)).toBe(undefined)
  expect(['Ada', 'ada lovelace', '👩‍🚀 x', ''].map(initials)).toEqual(['A', 'AL', '👩X', ''])
})

test('styles leave pasted HTML, and what they mean stays', () => {
  expect(withoutStyles('<b style="font-weight:normal">a</b>')).toBe('<b data-weight="normal">a</b>')
  expect(withoutStyles(`<p class="x" STYLE = 'font-style: italic'>a</p>`)).toBe(
    '<p class="x" data-slant="italic">a</p>',
  )
  // Word's own names for things end in the names that styles have.
  expect(withoutStyles("<b style='mso-bidi-font-weight:normal'>a</b>")).toBe('<b>a</b>')
  expect(withoutStyles('<head><style><!-- p { color: red }\n--></style></head><p style=color:red>a</p>')).toBe(
    '<head></head><p>a</p>',
  )
  expect(withoutStyles('<p title="a > b" onclick="x()" style="font-weight:700">a</p>')).toBe(
    '<p title="a > b" data-weight="bold">a</p>',
  )
  expect(withoutStyles('<i style="color:red"><u style="x">a style="y"</u></i>')).toBe('<i><u>a style="y"</u></i>')
})

describe.skipIf(!existsSync(BUILT))('the built page', () => {
  test('everything the page loads at once is at most 200 kB compressed, and the code editor is not part of it', async () => {
    const html = await readFile(`${BUILT}index.html`, 'utf8')
    const files = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.(?:js|css))"/g)].map(([, file]) => file ?? '')
    const loaded = await closure(files)
    let total = 0
    for (const file of loaded) total += gzipSync(await readFile(`${BUILT}${file}`), { level: 9 }).length
    process.stdout.write(`demo: ${loaded.length} files at once, ${Math.round(total / 100) / 10} kB compressed\n`)
    expect(total).toBeLessThanOrEqual(200_000)
    expect(loaded.join()).not.toMatch(/codeEditor|languages|markdown/)
    expect((await readdir(`${BUILT}assets`)).join()).toMatch(/codeEditor.*languages.*markdown/)
  })

  test('the connection does not wait for the editor, which is fetched all the same from the start', async () => {
    const html = await readFile(`${BUILT}index.html`, 'utf8')
    const [, script = ''] = /<script [^>]*src="\.\/(assets\/[^"]+)"/.exec(html) ?? []
    expect((await closure([script])).join()).not.toMatch(/text-|model-/)
    expect(html).toMatch(/rel="modulepreload"[^>]* href="\.\/assets\/text-/)
    expect(html).toMatch(/rel="modulepreload"[^>]* href="\.\/assets\/model-/)
  })

  test('beside each file is the same one compressed', async () => {
    const files = (await readdir(BUILT, { recursive: true })).filter((file) => /\.(?:html|js|css|svg)$/.test(file))
    expect(files.length).toBeGreaterThan(10)
    for (const file of files) {
      const [plain, br, gz] = await Promise.all(
        ['', '.br', '.gz'].map((ending) => readFile(`${BUILT}${file}${ending}`)),
      )
      expect(plain?.equals(brotliDecompressSync(br ?? ''))).toBe(true)
      expect(plain?.equals(gunzipSync(gz ?? ''))).toBe(true)
    }
  })
})

/** The files, and all they import at once. */
async function closure(files: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  const visit = async (file: string): Promise<void> => {
    if (found.has(file)) return
    found.add(file)
    if (!file.endsWith('.js')) return
    const source = await readFile(`${BUILT}${file}`, 'utf8')
    const imports = source.matchAll(/(?:import|from)\s*["']\.\/([^"']+)["']/g)
    for (const [, name] of imports) await visit(`assets/${name}`)
  }
  for (const file of files) await visit(file)
  return [...found]
}

function contrast(first: string, second: string): number {
  const [low = 0, high = 0] = [luminance(first), luminance(second)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}

async function readTokens(scheme: 'light' | 'dark'): Promise<Map<string, string>> {
  const css = await readFile(TOKENS, 'utf8')
  const found = css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)
  return new Map([...found].map(([, name = '', light = '', dark = '']) => [name, scheme === 'light' ? light : dark]))
}
