/** Milliseconds. */
export const BUCKET_MS = 100
const BAR_WIDTH = 20
/** What comes later is in one line. */
const MOST_LINES = 100

/** How many of `times` (milliseconds from the start) fall into each tenth of a second. */
export function buckets(times: readonly number[]): number[] {
  const counts: number[] = []
  for (const time of times) {
    const bucket = Math.max(0, Math.floor(time / BUCKET_MS))
    counts[bucket] = (counts[bucket] ?? 0) + 1
  }
  return Array.from(counts, (count) => count ?? 0)
}

function cell(count: number, most: number): string {
  const bar = '#'.repeat(Math.ceil((count / most) * BAR_WIDTH))
  return `${count === 0 ? '' : count}`.padStart(5) + ` ${bar.padEnd(BAR_WIDTH)}`
}

/** A block of text: a line for each tenth of a second in which anything happened, and a bar for each series. */
export function histogram(series: ReadonlyMap<string, readonly number[]>): string {
  const counted = [...series].map(([title, times]) => ({ title, counts: buckets(times) }))
  const most = Math.max(1, ...counted.flatMap(({ counts }) => counts))
  const length = Math.min(MOST_LINES, Math.max(...counted.map(({ counts }) => counts.length)))
  const lines = Array.from({ length }, (_, bucket) => {
    const found = counted.map(({ counts }) => counts[bucket] ?? 0)
    const time = `${((bucket * BUCKET_MS) / 1000).toFixed(1)} s`.padStart(7)
    return found.every((count) => count === 0) ? null : `${time} ${found.map((count) => cell(count, most)).join('')}`
  })
  const head = `${' '.repeat(8)}${counted.map(({ title }) => title.padEnd(BAR_WIDTH + 6)).join('')}`
  const later = counted.map(({ counts }) => counts.slice(MOST_LINES).reduce((sum, count) => sum + count, 0))
  const tail = ` later  ${later.map((count) => `${count}`.padStart(5).padEnd(BAR_WIDTH + 6)).join('')}`
  const text = [head, ...lines.filter((line) => line !== null), tail].map((line) => line.trimEnd())
  return ['```text', ...text, '```', ''].join('\n')
}
