import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { clientPages, root } from './markdown.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const readme = read('client/README.md')

/** The body of an exported interface. */
function bodyOf(path: string, name: string): string {
  const found = new RegExp(`export interface ${name}\\b[^]*?\\n}`).exec(read(path))
  if (found === null) throw new Error(`${path} has no interface ${name}`)
  return found[0]
}

/** Whether a cell of the first column names it. */
const isListed = (name: string): boolean =>
  readme.split('\n').some((line) => (line.split('|')[1] ?? '').includes(`\`${name}`))

describe("the client's README cannot drift from the code", () => {
  test('it lists every option', () => {
    const options = [...bodyOf('client/options.ts', 'ProviderOptions').matchAll(/readonly (\w+)\?:/g)]
    expect(options.length).toBeGreaterThan(15)
    for (const [, option = ''] of options) expect(isListed(option), option).toBe(true)
  })

  test('it lists every event', () => {
    const events = [...bodyOf('client/events.ts', 'ProviderEvents').matchAll(/^ {2}'?([\w-]+)'?: \(/gm)]
    expect(events.length).toBeGreaterThan(10)
    for (const [, event = ''] of events) expect(isListed(event), event).toBe(true)
  })

  test('it lists every error, by code and by class', () => {
    const errors = read('client/errors.ts')
    const union = /ProviderErrorCode = (.+)/.exec(errors)?.[1] ?? ''
    const codes = [...(errors.match(/(?<=super\(')[A-Z_]+/g) ?? []), ...(union.match(/[A-Z_]{2,}/g) ?? [])]
    expect(codes.length).toBeGreaterThan(6)
    for (const code of codes) expect(isListed(code), code).toBe(true)
    const classes = read('client/README.md').match(/(?<=`)[A-Za-z]+Error(?=`)/g) ?? []
    expect(classes.length).toBeGreaterThan(3)
    for (const name of classes) expect(read('client/index.ts'), name).toContain(name)
  })

  test.each(clientPages())('the links of %s lead somewhere', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)(?:#([^)]+))?\)/g)]
    for (const [, target = '', fragment] of links) {
      const path = join(dirname(page), target)
      expect(existsSync(join(root, path)), `${page} → ${target}`).toBe(true)
      if (fragment !== undefined) expect(headings(path), `${page} → ${target}#${fragment}`).toContain(fragment)
    }
  })
})

/** Fragments as GitHub makes them of headings. */
function headings(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  )
}
