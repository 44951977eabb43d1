export interface ProcessMetrics {
  /** Value of the label `worker`. */
  readonly worker: string
  /** In Prometheus' text format. */
  readonly text: string
}

interface Family {
  /** HELP and TYPE. */
  readonly head: string
  readonly samples: string[]
}

/**
 * The metrics of several processes as one text: what has the same name stands together, as the format wants it, and
 * every sample says whose it is.
 */
export function mergeMetrics(processes: readonly ProcessMetrics[]): string {
  const families = new Map<string, Family>()
  for (const { worker, text } of processes) {
    for (const block of text.split(/\n(?=# HELP )/)) addBlock(families, block, worker)
  }
  return [...families.values()].map(({ head, samples }) => `${head}\n${samples.join('\n')}\n`).join('\n')
}

function addBlock(families: Map<string, Family>, block: string, worker: string): void {
  const lines = block.split('\n').filter((line) => line !== '')
  const head = lines.filter((line) => line.startsWith('#')).join('\n')
  const name = /^# HELP (?<name>\S+)/.exec(head)?.groups?.['name']
  if (name === undefined) return
  const family = families.get(name) ?? { head, samples: [] }
  families.set(name, family)
  for (const line of lines) if (!line.startsWith('#')) family.samples.push(labelled(line, worker))
}

function labelled(sample: string, worker: string): string {
  return sample.replace(/^(?<name>[a-zA-Z_:][\w:]*)(?:\{(?<labels>[^]*)\}(?= ))?/, (...match) => {
    const { name, labels } = match.at(-1) as { name: string; labels?: string }
    return `${name}{worker="${worker}"${labels === undefined || labels === '' ? '' : `,${labels}`}}`
  })
}
