import type { TypingResult } from '../load/typing.ts'
import { generatorShare, type Metric, type Outcome, type Target } from './scenario.ts'

/** Targets of a typing scenario, by metric id. */
export type RoomTargets = Readonly<Partial<Record<'cpu' | 'cpuPerEdit' | 'p50' | 'p99' | 'rss', readonly Target[]>>>

/** The rows that all typing scenarios share. */
export function roomMetrics(targets: RoomTargets): readonly Metric[] {
  const row = (id: keyof RoomTargets, title: string, unit: string): Metric => {
    const own = targets[id]
    return { id, title, unit, better: 'lower', ...(own === undefined ? {} : { targets: own }) }
  }
  return [
    row('cpu', 'server CPU per delivered edit', 'µs'),
    row('cpuPerEdit', 'server CPU per edit', 'µs'),
    row('p50', 'edit to remote, p50', 'ms'),
    row('p99', 'edit to remote, p99', 'ms'),
    { id: 'missing', title: 'missing (edit, receiver) pairs', unit: '', better: 'lower' },
    row('rss', 'server RSS', 'MiB'),
    generatorShare,
  ]
}

export function roomOutcome(result: TypingResult): Outcome {
  return {
    values: {
      cpu: (result.serverCpuMs * 1000) / result.delivered,
      cpuPerEdit: (result.serverCpuMs * 1000) / result.edits,
      p50: result.p50,
      p99: result.p99,
      missing: result.missing,
      rss: result.rssMib,
      generator: result.generator,
    },
    checks: result.checks,
  }
}
