import type { Limits } from '../../shared/limits.ts'
import type { Clock } from '../clock.ts'
import type { Observer } from '../observer.ts'
import type { Dialect, Link } from './link.ts'
import type { Budgets } from './budgets.ts'

export interface SessionOptions {
  readonly link: Link
  readonly dialect: Dialect
  readonly limits: Limits
  readonly clock: Clock
  readonly observer: Observer
  /** Shared by all sessions of a socket; default: its own. */
  readonly budgets?: Budgets
}
