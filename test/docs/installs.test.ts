import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { blocksOf, clientPages, root } from './markdown.ts'

/** Packages that work only beside others of exactly their own version. */
const FAMILIES: Readonly<Record<string, RegExp>> = {
  'client/docs/tiptap.md': /^@tiptap\//,
  'client/docs/lexical.md': /^(?:lexical$|@lexical\/)/,
}

const parse = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'))
const { devDependencies } = parse('package.json') as { devDependencies: Record<string, string> }
const { packages } = parse('package-lock.json') as { packages: Record<string, { version?: string }> }

/** What our tests run against: also of what only comes with something else, as `@lexical/yjs` does. */
const testedVersion = (name: string): string | undefined =>
  devDependencies[name] ?? packages[`node_modules/${name}`]?.version

/** What is installed by the commands of a page, as it is written there. */
function installedBy(page: string): string[] {
  const shells = blocksOf(page).filter(({ language }) => language === 'sh')
  const commands = shells.flatMap(({ code }) => code.replaceAll('\\\n', ' ').split('\n'))
  return commands
    .filter((command) => command.startsWith('npm install '))
    .flatMap((command) => command.split(/\s+/).slice(2))
}

/** What is wrong with it; null: nothing. */
function complaintAbout(written: string, family: RegExp | undefined): string | null {
  const at = written.indexOf('@', 1)
  const [name, version] = at < 0 ? [written, null] : [written.slice(0, at), written.slice(at + 1)]
  const tested = testedVersion(name)
  if (family?.test(name) === true && version !== tested) return `${written}: it must say ${name}@${tested}`
  // A major version alone is one, too: `quill@2`.
  if (version === null || `${tested}.`.startsWith(`${version}.`)) return null
  return `${written}: tested is ${name}@${tested}`
}

describe('what the pages tell their readers to install', () => {
  const pages = clientPages().filter((page) => installedBy(page).length > 0)

  test('is found', () => {
    expect(pages).toEqual(expect.arrayContaining(Object.keys(FAMILIES)))
    expect(installedBy('client/docs/tiptap.md').length).toBeGreaterThan(6)
    expect(installedBy('client/docs/lexical.md').filter((written) => written.includes('lexical')).length).toBe(3)
  })

  test.each(pages)('%s names the versions that are tested', (page) => {
    const complaints = installedBy(page).map((written) => complaintAbout(written, FAMILIES[page]))
    expect(complaints.filter((complaint) => complaint !== null)).toEqual([])
  })

  test.each([
    ['quill@1', undefined],
    ['quill@2.0.30', undefined],
    ['quill@', undefined],
    ['no-such-package@1', undefined],
    ['lexical', /lexical/],
    ['lexical@0', /lexical/],
    ['@lexical/yjs@0.1.0', /lexical/],
    ['@tiptap/core', /tiptap/],
  ])('%s would not be taken for one', (written, family) => {
    expect(complaintAbout(written, family)).not.toBeNull()
  })
})
