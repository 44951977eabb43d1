import type { Metric, Target } from '../scenarios/scenario.ts'
import type { ServerName } from '../servers/serverKind.ts'

export type Figures = Readonly<Partial<Record<ServerName, number>>>

export interface Verdict {
  /** Ours divided by the better peer; null without both. */
  readonly ratio: number | null
  readonly target: string
  /** null: no target, or nothing to compare with. */
  readonly pass: boolean | null
}

const PEERS: readonly ServerName[] = ['y-websocket', 'hocuspocus']

function betterPeer(metric: Metric, figures: Figures): number | null {
  const values = PEERS.map((peer) => figures[peer] ?? Number.NaN).filter((value) => Number.isFinite(value))
  if (values.length === 0) return null
  return metric.better === 'lower' ? Math.min(...values) : Math.max(...values)
}

const texts: Readonly<Record<Target['kind'], (value: number) => string>> = {
  ratio: (value) => `≤ ${value} × better peer`,
  margin: (value) => `≤ better peer + ${value}`,
  atMost: (value) => `≤ ${value}`,
  atLeast: (value) => `≥ ${value}`,
}

function describe({ kind, value }: Target, unit: string): string {
  return `${texts[kind](value)} ${kind === 'ratio' ? '' : unit}`.trim()
}

/** The figure that must be kept; null when it depends on a peer and there is none. */
function limitOf({ kind, value }: Target, peer: number | null): number | null {
  if (kind === 'atMost' || kind === 'atLeast') return value
  if (peer === null) return null
  return kind === 'ratio' ? value * peer : value + peer
}

function holds(target: Target, ours: number, peer: number | null): boolean | null {
  const limit = limitOf(target, peer)
  if (limit === null) return null
  return target.kind === 'atLeast' ? ours >= limit : ours <= limit
}

/** How ours stands in one metric. A peer that failed a check still counts: its figure was bought with the failure. */
export function judge(metric: Metric, figures: Figures): Verdict {
  const targets = metric.targets ?? []
  const { ours } = figures
  const peer = betterPeer(metric, figures)
  const target = targets.map((one) => describe(one, metric.unit)).join(', ')
  if (ours === undefined) return { ratio: null, target, pass: null }
  const ratio = peer === null || peer <= 0 || ours < 0 ? null : ours / peer
  const results = targets.map((one) => holds(one, ours, peer))
  const pass = results.length === 0 || results.includes(null) ? null : results.every((one) => one === true)
  return { ratio, target, pass }
}
