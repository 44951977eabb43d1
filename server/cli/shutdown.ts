import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'

export type StopSignal = 'SIGTERM' | 'SIGINT'

/** What a shell reports for a process that a signal ended: 128 plus the signal's number. */
const signalExitCodes: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 }

export interface ShutdownOptions {
  readonly server: { close(options: { deadlineMs: number }): Promise<void> }
  readonly logger: Pick<Logger, 'info' | 'warn' | 'fatal'>
  readonly clock: Pick<Clock, 'after'>
  /** The process is gone within this time, whatever storage does. */
  readonly drainSeconds: number
  readonly exit: (code: number) => void
}

type Phase = { readonly state: 'running' } | { readonly state: 'closing' } | { readonly state: 'gone' }

/** The one place that decides when and with which code the process ends. */
export class Shutdown {
  readonly #options: ShutdownOptions
  #phase: Phase = { state: 'running' }

  constructor(options: ShutdownOptions) {
    this.#options = options
  }

  /** True once the process is on its way out. */
  get stopping(): boolean {
    return this.#phase.state !== 'running'
  }

  /** The first signal stops in order; the second means "now". */
  signal(signal: StopSignal): void {
    switch (this.#phase.state) {
      case 'running':
        this.#options.logger.info({ signal }, 'stopping: storing what is left')
        this.#close(0)
        return
      case 'closing':
        this.#options.logger.warn({ signal }, 'second signal: stopping at once')
        this.#exit(signalExitCodes[signal])
        return
      case 'gone':
    }
  }

  /** A bug reached the top. What is in memory is still sound enough to be stored, but not to be served any longer. */
  crash(error: unknown): void {
    this.#options.logger.fatal({ err: error }, 'unexpected error: stopping')
    if (this.#phase.state === 'running') this.#close(1)
  }

  #close(code: number): void {
    const { server, logger, clock, drainSeconds } = this.#options
    this.#phase = { state: 'closing' }
    // Close gives up first and says what it could not store; the second limit holds when even that does not return.
    clock.after(drainSeconds * 950, () => {
      logger.fatal('the deadline has passed and the server is still closing: stopping at once')
      this.#exit(code)
    })
    server.close({ deadlineMs: drainSeconds * 900 }).then(
      () => {
        logger.info('stopped')
        this.#exit(code)
      },
      (error: unknown) => {
        // Told to stop, it has stopped: what storage refused was never acknowledged, and its authors still have it.
        logger.fatal({ err: error }, 'stopped, but not everything could be stored')
        this.#exit(code)
      },
    )
  }

  #exit(code: number): void {
    if (this.#phase.state === 'gone') return
    this.#phase = { state: 'gone' }
    this.#options.exit(code)
  }
}
