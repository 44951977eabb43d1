import { statfsSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'

const TMPFS = 0x01_02_19_94

/** One line that says where the numbers come from. `dataRoot` is where the servers keep their data. */
export function machineLine(dataRoot: string): string {
  const cores = cpus()
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`
  const disk = statfsSync(dataRoot).type === TMPFS ? 'data in memory (tmpfs): fsync costs nothing here' : 'data on disk'
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  const system = `${type()} ${release()}, Node ${process.version}`
  return `${cores[0]?.model.trim() ?? 'unknown CPU'}, ${cores.length} cores, ${memory}; ${system}; ${disk}; ${date} UTC`
}
