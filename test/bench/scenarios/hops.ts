import { clusterTyping } from '../load/clusterTyping.ts'
import { NumberList } from '../measure/numbers.ts'
import { generatorShare, type Metric, type Outcome, type RunContext, type Scenario } from './scenario.ts'

/** Rooms with even numbers have both people on one node, the others have them on two. */
const ROOMS = 40
const PEOPLE = 2

function isFar(room: number): boolean {
  return room % 2 === 1
}

/** Rooms of either sort are spread evenly over the two nodes. */
function nodeOf(person: number): number {
  const room = Math.floor(person / PEOPLE)
  return (isFar(room) ? person : Math.floor(room / 2)) % 2
}

/** Near and far at the same time, so that whatever else the machine does meets both. */
async function run(context: RunContext): Promise<Outcome> {
  const near = new NumberList()
  const far = new NumberList()
  const plan = { rooms: ROOMS, people: PEOPLE, editsPerSecond: 2, warmupSeconds: 4, countedSeconds: 0 }
  const { generator, checks } = await clusterTyping(context, { ...plan, nodes: 2, nodeOf }, (milliseconds, author) => {
    const list = isFar(Math.floor(author / PEOPLE)) ? far : near
    list.add(milliseconds)
  })
  return {
    values: {
      hop: far.quantile(0.5) - near.quantile(0.5),
      near50: near.quantile(0.5),
      far50: far.quantile(0.5),
      near99: near.quantile(0.99),
      far99: far.quantile(0.99),
      generator,
    },
    checks,
  }
}

const metrics: readonly Metric[] = [
  { id: 'near50', title: 'edit to remote on the same node, p50', unit: 'ms', better: 'lower' },
  { id: 'far50', title: 'edit to remote on the other node, p50', unit: 'ms', better: 'lower' },
  {
    id: 'hop',
    title: 'the difference',
    unit: 'ms',
    better: 'lower',
    targets: [{ kind: 'atMost', value: 2 }],
  },
  { id: 'near99', title: 'edit to remote on the same node, p99', unit: 'ms', better: 'lower' },
  { id: 'far99', title: 'edit to remote on the other node, p99', unit: 'ms', better: 'lower' },
  generatorShare,
]

export const hops: Scenario = {
  name: 'hops',
  title: 'two nodes around one Redis; 40 rooms of two people, each two edits a second, half of the rooms on one node',
  columns: { ours: 'Scriptorium, Redis' },
  seconds: 15,
  metrics,
  run,
}
