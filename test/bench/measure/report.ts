import type { Check, Metric } from '../scenarios/scenario.ts'
import type { ServerName } from '../servers/serverKind.ts'
import { judge, type Figures } from './verdict.ts'

export interface Column {
  readonly name: ServerName
  readonly title: string
}

/** One scenario, all its servers. */
export interface ScenarioReport {
  readonly name: string
  readonly title: string
  readonly columns: readonly Column[]
  readonly metrics: readonly Metric[]
  /** Median of the rounds, by metric id and server. */
  readonly figures: Readonly<Record<string, Figures>>
  readonly checks: readonly (Check & { readonly server: ServerName })[]
  /** Markdown, of each run. */
  readonly notes: readonly string[]
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

function metricRow(metric: Metric, figures: Figures, columns: readonly Column[]): string {
  const { ratio, target, pass } = judge(metric, figures)
  const unit = metric.unit === '' ? '' : `, ${metric.unit}`
  const cells = columns.map(({ name }) => formatNumber(figures[name]))
  return `| ${metric.title}${unit} | ${cells.join(' | ')} | ${formatNumber(ratio)} | ${target} | ${verdictText(pass)} |`
}

/** The table says each; whoever reads only the end must not take the checks for it. */
function aimsText({ metrics, figures }: ScenarioReport): string {
  const passes = metrics.map((metric) => judge(metric, figures[metric.id] ?? {}).pass).filter((pass) => pass !== null)
  const met = passes.filter(Boolean).length
  return passes.length === 0 ? '' : `${met} of ${passes.length} targets met.`
}

/** A Markdown table with a row per metric, then the checks that failed. */
export function scenarioMarkdown(report: ScenarioReport): string {
  const failed = report.checks.filter(({ ok }) => !ok)
  const { columns } = report
  const names = columns.map(({ title }) => title)
  return [
    `### ${report.name}: ${report.title}`,
    '',
    `| | ${names.join(' | ')} | ours / better peer | target | |`,
    `|---|${names.map(() => '---:|').join('')}---:|---|---|`,
    ...report.metrics.map((metric) => metricRow(metric, report.figures[metric.id] ?? {}, columns)),
    '',
    ...failed.map(({ server, name, detail }) => `- ${server}: FAILED: ${name}${detail === '' ? '' : ` (${detail})`}`),
    [failed.length === 0 ? `All ${report.checks.length} checks hold.` : '', aimsText(report)].join(' ').trim(),
    '',
    ...report.notes,
  ].join('\n')
}

export function reportMarkdown(report: Report): string {
  return ['## Benchmark', '', report.machine, '', ...report.scenarios.map(scenarioMarkdown)].join('\n')
}

/** The same with every verdict, for machines. */
export function reportJson(report: Report): string {
  const scenarios = report.scenarios.map(({ name, title, checks, metrics, figures, notes }) => ({
    name,
    title,
    checks,
    notes,
    metrics: metrics.map((metric) => {
      const own = figures[metric.id] ?? {}
      return { id: metric.id, title: metric.title, unit: metric.unit, figures: own, ...judge(metric, own) }
    }),
  }))
  return `${JSON.stringify({ machine: report.machine, scenarios }, null, 2)}\n`
}
