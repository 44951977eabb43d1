import { availableParallelism } from 'node:os'
import { systemClock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { createLogObserver } from '../logObserver.ts'
import { createMetrics } from '../metrics.ts'
import type { ServerEvent } from '../observer.ts'
import type { Options } from '../options/table.ts'
import { openHostEngine } from '../server.ts'
import { Primary } from './primary.ts'

/** The number of processes that `--workers` means. */
export function workerCount(workers: Options['workers']): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/** @param entry the program's own file: its workers are started from it */
export function createPrimary(
  options: Options & { readonly workers: number },
  { entry, logger }: { entry: string; logger: Logger },
): Primary {
  const metrics = options.metrics ? createMetrics({ sources: noSources, processMetrics: true }) : null
  const log = createLogObserver(logger, systemClock)
  const observe = (event: ServerEvent): void => {
    log.observe(event)
    metrics?.observer.observe(event)
    if (event.type === 'storageFailing' || event.type === 'storageRecovered') primary.healthChanged()
  }
  const primary: Primary = new Primary({
    options,
    count: options.workers,
    entry,
    clock: systemClock,
    logger,
    engine: openHostEngine(options, { clock: systemClock, observer: { observe }, logger }),
    metrics: async () => ofPrimary((await metrics?.text()) ?? ''),
    onRefused: (refusal) => observe({ type: 'refused', ...refusal }),
  })
  return primary
}

/** The primary has neither WebSockets nor documents. */
const noSources = {
  connections: () => 0,
  documents: () => 0,
  nodes: () => 0,
  traffic: () => ({ framesIn: 0, bytesIn: 0, writes: 0, bytesOut: 0 }),
}

/** What happens in the primary and nowhere else; about the rest it would say 0. */
const ownFamilies = /^# HELP (?:process_|nodejs_|scriptorium_(?:storage_failing|quarantined_total|refused_total) )/

function ofPrimary(text: string): string {
  const families = text.split(/\n(?=# HELP )/)
  return families.filter((family) => ownFamilies.test(family)).join('\n')
}
