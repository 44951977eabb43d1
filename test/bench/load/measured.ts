import { OwnShare } from '../measure/proc.ts'
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

export interface Measured<Reading> {
  readonly before: Reading
  readonly after: Reading
  /** Share of a core that this process used while it played. */
  readonly generator: number
  /** The most an action was late, in milliseconds. */
  readonly latest: number
}

/**
 * Plays the warm-up, waits until all of it has arrived, so that a server which fell behind is not charged for it twice; then
 * starts the clock, plays the rest, and stops it when nothing arrives any more.
 *
 * @param read what is measured: read when the clock starts, and when it stops
 */
export async function measured<Reading>(
  read: () => Reading | Promise<Reading>,
  { due, warmupMs, lastTime }: Load,
): Promise<Measured<Reading>> {
  await play(
    due.filter(({ at }) => at < warmupMs),
    performance.now(),
  )
  await untilQuiet(lastTime, QUIET_MS)
  const before = await read()
  const own = new OwnShare()
  const { latest } = await play(
    due.filter(({ at }) => at >= warmupMs),
    performance.now() - warmupMs,
  )
  const generator = own.share()
  await untilQuiet(lastTime, QUIET_MS)
  return { before, after: await read(), generator, latest }
}
