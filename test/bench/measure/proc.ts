import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** `getconf CLK_TCK`: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

export interface Usage {
  /** CPU of the process tree since it started, user and system, in milliseconds. */
  readonly cpuMs: number
  /** Resident memory of the tree now, in bytes. */
  readonly rss: number
  /** The most each process of the tree has ever had resident, summed, in bytes. */
  readonly peakRss: number
}

interface Stat {
  readonly pid: number
  readonly parent: number
  /** utime + stime + those of children already waited for, in ticks. */
  readonly ticks: number
}

function readStat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command may contain spaces and brackets; the fields start after its last ')': state, ppid, …, utime is the 12th.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0)
    return { pid, parent: Number(fields[1]), ticks }
  } catch {
    return null
  }
}

/** The process and all its descendants. */
export function processTree(root: number): readonly number[] {
  return treeOf(root).map((stat) => stat.pid)
}

function treeOf(root: number): readonly Stat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== null)
  const tree = all.filter((stat) => stat.pid === root)
  for (const member of tree) tree.push(...all.filter((stat) => stat.parent === member.pid))
  return tree
}

function statusBytes(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return Number(match?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** What the process tree under `root` has used and uses. Zeros when it is gone. */
export function usageOf(root: number): Usage {
  const tree = treeOf(root)
  const sum = (value: (stat: Stat) => number): number => tree.reduce((total, stat) => total + value(stat), 0)
  return {
    cpuMs: (sum((stat) => stat.ticks) * 1000) / TICKS_PER_SECOND,
    rss: sum((stat) => statusBytes(stat.pid, 'VmRSS')),
    peakRss: sum((stat) => statusBytes(stat.pid, 'VmHWM')),
  }
}

export interface Settled {
  /** Milliseconds from the call until the process last did noticeable work. */
  readonly busyMs: number
  /** CPU it used meanwhile. */
  readonly cpuMs: number
}

const STEP_MS = 200
/** Less CPU than this in one step counts as doing nothing (timers, garbage collection). */
const NOISE_MS = 20

/** Waits until the tree has done nothing for `quietMs`; gives up after `limitMs`. */
export async function settle(root: number, quietMs: number, limitMs = 90_000): Promise<Settled> {
  const start = performance.now()
  const first = usageOf(root).cpuMs
  let last = first
  let busyUntil = start
  while (performance.now() - busyUntil < quietMs && performance.now() - start < limitMs) {
    await delay(STEP_MS)
    const now = usageOf(root).cpuMs
    if (now - last > NOISE_MS) busyUntil = performance.now()
    last = now
  }
  return { busyMs: busyUntil - start, cpuMs: last - first }
}

/** Watches the resident memory of a tree until stopped. */
export class MemoryWatch {
  private readonly root: number
  private readonly timer: NodeJS.Timeout
  readonly start: number
  max: number

  constructor(root: number, everyMs = 50) {
    this.root = root
    this.start = usageOf(root).rss
    this.max = this.start
    this.timer = setInterval(() => {
      this.sample()
    }, everyMs)
  }

  /** Bytes resident now. */
  sample(): number {
    const { rss } = usageOf(this.root)
    this.max = Math.max(this.max, rss)
    return rss
  }

  stop(): void {
    clearInterval(this.timer)
  }
}

/** CPU and wall time of this very process, from construction on. */
export class OwnShare {
  private readonly cpu = process.cpuUsage()
  private readonly start = performance.now()

  /** Share of one core used so far, 0 to about 1. */
  share(): number {
    const used = process.cpuUsage(this.cpu)
    return (used.user + used.system) / 1000 / (performance.now() - this.start)
  }
}
