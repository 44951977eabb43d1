import type { NumberList } from '../measure/numbers.ts'
import { loads } from './loads.ts'
import type { Samples } from './rounds.ts'

function quartiles(list: NumberList, digits: number): string {
  return [0, 0.25, 0.5, 0.75].map((q) => list.quantile(q).toFixed(digits)).join(' / ')
}

/** How far the rounds were apart. */
export function spreadMarkdown(samples: Samples, rounds: number): string {
  const rows = loads.flatMap(({ id, title }) =>
    [...(samples.get(id) ?? [])].map(([name, { cpu, time }]) => {
      const times = time.count === 0 ? '' : quartiles(time, 2)
      return `| ${title} | ${name} | ${quartiles(cpu, 0)} | ${times} |`
    }),
  )
  return [
    `Least, first quartile, median and third quartile of ${rounds} rounds; \`none\` is Yjs alone:`,
    '',
    '| | client | CPU per edit or opening, Yjs included, µs | until synced, ms |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
