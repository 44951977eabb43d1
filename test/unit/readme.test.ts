import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CloseCode } from '../../shared/closeCodes.ts'
import { createMetrics } from '../../server/metrics.ts'
import { optionsMarkdown } from '../../server/options/describe.ts'

const root = join(import.meta.dirname, '..', '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

describe('the README cannot drift from the code', () => {
  test('its table of options is the one generated from the table in the code', () => {
    const block = /<!-- options:start -->\n(?<table>[^]*?)\n<!-- options:end -->/.exec(readme)
    expect(block?.groups?.['table']).toBe(optionsMarkdown())
  })

  test('it explains every error code', () => {
    const declared = readFileSync(join(root, 'shared', 'errors.ts'), 'utf8').match(/(?<=')[A-Z]+_[A-Z_]+(?=')/g)
    const server = readdirSync(join(root, 'server'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(root, 'server', file), 'utf8'))
    const thrown = server.join('').match(/(?<=new ScriptoriumError\(\s*')[A-Z_]+(?=')/g)
    const codes = new Set([...(declared ?? []), ...(thrown ?? [])])
    expect(codes.size).toBeGreaterThan(8)
    for (const code of codes) expect(readme, code).toContain(`| \`${code}\` `)
  })

  test('it explains every close code', () => {
    for (const code of Object.values(CloseCode)) expect(readme, String(code)).toMatch(new RegExp(`^\\| ${code} `, 'm'))
  })

  test('it names every metric', async () => {
    const traffic = () => ({ framesIn: 0, bytesIn: 0, writes: 0, bytesOut: 0 })
    const sources = { connections: () => 0, documents: () => 0, nodes: () => 1, traffic }
    const text = await createMetrics({ sources }).text()
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? '')
    expect(names.length).toBeGreaterThan(15)
    for (const name of names) expect(readme, name).toContain(`\`${name}\``)
  })
})
