import type { OptionSpec } from './table.ts'
import { optionNames, optionTable } from './table.ts'

/** One line of `--help`: what it does, its unit, its default, its environment variables. */
export function helpText(spec: OptionSpec): string {
  return `${spec.help} (${[...(spec.unit === undefined ? [] : [spec.unit]), `default: ${defaultText(spec)}`, `env: ${spec.env.join(', ')}`].join('; ')})`
}

/** The table of options in the README, Markdown. */
export function optionsMarkdown(): string {
  const rows = optionNames.map((name) => markdownRow(optionTable[name]))
  return ['| flag | environment | default | unit | what it does |', '| --- | --- | --- | --- | --- |', ...rows].join(
    '\n',
  )
}

function markdownRow(spec: OptionSpec): string {
  const flag = spec.short === undefined ? spec.flag : `${spec.short}, ${spec.flag}`
  const env = spec.env.map((variable) => `\`${variable}\``).join(', ')
  return `| \`${flag}\` | ${env} | \`${defaultText(spec)}\` | ${spec.unit ?? ''} | ${spec.help} |`
}

function defaultText(spec: OptionSpec): string {
  if (typeof spec.default === 'boolean') return spec.default ? 'on' : 'off'
  return spec.default === '' ? 'none' : String(spec.default)
}
