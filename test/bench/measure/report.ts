import type { Check, Metric } from '../scenarios/scenario.ts'
import type { ServerKind, ServerName } from '../servers/serverKind.ts'
import { judge, type Figures } from './verdict.ts'

/** One scenario, all servers. */
export interface ScenarioReport {
  readonly name: string
  readonly title: string
  readonly metrics: readonly Metric[]
  /** Median of the rounds, by metric id and server. */
  readonly figures: Readonly<Record<string, Figures>>
  readonly checks: readonly (Check & { readonly server: ServerName })[]
}

export interface Report {
  readonly machine: string
  readonly scenarios: readonly ScenarioReport[]
}

function formatNumber(value: number | undefined | null): string {
  if (value === undefined || value === null) return '–'
  if (!Number.isFinite(value)) return 'never'
  const size = Math.abs(value)
  if (Number.isInteger(value) || size >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(size >= 10 ? 1 : 2)
}

function verdictText(pass: boolean | null): string {
  if (pass === null) return ''
  return pass ? 'pass' : '**falls short**'
}

function metricRow(metric: Metric, figures: Figures, servers: readonly ServerKind[]): string {
  const { ratio, target, pass } = judge(metric, figures)
  const unit = metric.unit === '' ? '' : `, ${metric.unit}`
  const cells = servers.map(({ name }) => formatNumber(figures[name]))
  return `| ${metric.title}${unit} | ${cells.join(' | ')} | ${formatNumber(ratio)} | ${target} | ${verdictText(pass)} |`
}

/** A Markdown table with a row per metric, then the checks that failed. */
export function scenarioMarkdown(report: ScenarioReport, servers: readonly ServerKind[]): string {
  const failed = report.checks.filter(({ ok }) => !ok)
  const names = servers.map(({ title }) => title)
  return [
    `### ${report.name}: ${report.title}`,
    '',
    `| | ${names.join(' | ')} | ours / better peer | target | |`,
    `|---|${names.map(() => '---:|').join('')}---:|---|---|`,
    ...report.metrics.map((metric) => metricRow(metric, report.figures[metric.id] ?? {}, servers)),
    '',
    ...failed.map(({ server, name, detail }) => `- ${server}: FAILED: ${name}${detail === '' ? '' : ` (${detail})`}`),
    failed.length === 0 ? `All ${report.checks.length} checks hold.` : '',
    '',
  ].join('\n')
}

export function reportMarkdown(report: Report, servers: readonly ServerKind[]): string {
  return [
    '## Benchmark',
    '',
    report.machine,
    '',
    ...report.scenarios.map((one) => scenarioMarkdown(one, servers)),
  ].join('\n')
}

/** The same with every verdict, for machines. */
export function reportJson(report: Report): string {
  const scenarios = report.scenarios.map(({ metrics, figures, ...rest }) => ({
    ...rest,
    metrics: metrics.map((metric) => {
      const own = figures[metric.id] ?? {}
      return { id: metric.id, title: metric.title, unit: metric.unit, figures: own, ...judge(metric, own) }
    }),
  }))
  return `${JSON.stringify({ machine: report.machine, scenarios }, null, 2)}\n`
}
