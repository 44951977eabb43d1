import { OwnShare, usageOf } from '../measure/proc.ts'
import { play, untilQuiet, type Due } from './schedule.ts'

/** Nothing received for so long: everything that will come has come. */
const QUIET_MS = 700

export interface Load {
  readonly due: readonly Due[]
  /** What is due before this is played first, so that code is compiled and caches are warm. */
  readonly warmupMs: number
  /** When the last message arrived anywhere. */
  readonly lastTime: () => number
}

export interface Measured {
  readonly serverCpuMs: number
  /** Resident memory of the server at the end, in bytes. */
  readonly rss: number
  /** Share of a core that this process used while it played. */
  readonly generator: number
  /** The most an action was late, in milliseconds. */
  readonly latest: number
}

/**
 * Plays the warm-up, waits until all of it has arrived, so that a server which fell behind is not charged for it twice; then
 * starts the clock, plays the rest, and stops it when nothing arrives any more.
 */
export async function measured(pid: number, { due, warmupMs, lastTime }: Load): Promise<Measured> {
  await play(
    due.filter(({ at }) => at < warmupMs),
    performance.now(),
  )
  await untilQuiet(lastTime, QUIET_MS)
  const before = usageOf(pid)
  const own = new OwnShare()
  const { latest } = await play(
    due.filter(({ at }) => at >= warmupMs),
    performance.now() - warmupMs,
  )
  const generator = own.share()
  await untilQuiet(lastTime, QUIET_MS)
  const after = usageOf(pid)
  return { serverCpuMs: after.cpuMs - before.cpuMs, rss: after.rss, generator, latest }
}
