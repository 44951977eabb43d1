import { toError } from '../../../../shared/errors.ts'
import { describeUrl } from '../describeUrl.ts'
import { isNetworkTrouble } from '../networkTrouble.ts'

/**
 * SQLSTATEs, or classes of them, after which the same statement may well succeed on a new connection: the server is
 * starting, stopping, has become a standby, has no connection to spare, or had to choose a victim.
 */
const passingStates = /^(?:08|57P0[123]|25006|40001|40P01|53300|55P03)/

/** Those of them, and some more, that say nothing about whether what was asked for is right. */
const absentStates = /^(?:08|57P0[123]|57014|53)/
/** What the driver says, in the words that it has for it, when nothing comes back (in time). */
const brokenOff = /^Connection terminated|^Client has encountered a connection error/
const tooLate = /^Query read timeout|^timeout exceeded when trying to connect/

/** Everything the server says has a five-character SQLSTATE in `code`; the driver's own errors have none. */
export function isPassing(thrown: unknown): boolean {
  const code = codeOf(thrown)
  if (code !== undefined) return passingStates.test(code) || isNetworkTrouble(thrown)
  return brokenOff.test(toError(thrown).message)
}

/** Nobody answers; or who does is starting, stopping or overrun. A name that nobody knows is an answer. */
export function isUnreachable(thrown: unknown): boolean {
  const code = codeOf(thrown)
  if (code !== undefined) return absentStates.test(code) || isNetworkTrouble(thrown)
  const { message } = toError(thrown)
  return brokenOff.test(message) || tooLate.test(message)
}

/** What is wrong, in one sentence that says where, and never with which password. */
export function describeFailure(url: string, thrown: unknown): string {
  const place = `The archive ${describeUrl(url)}`
  switch (codeOf(thrown) ?? '') {
    case '28000':
    case '28P01':
      return `${place} refuses this user or password.`
    case '3D000':
      return `${place} does not exist: create the database first.`
    case '42501':
      return `${place} does not give this user the right that is needed: ${toError(thrown).message}.`
    case '25006':
      return `${place} is read-only, as a standby is: name the primary.`
    case '57014':
      return `${place} took too long: ${toError(thrown).message}.`
    default:
      return `${place} cannot be used: ${messageOf(thrown)}.`
  }
}

/** A refused connection to a name with several addresses is an AggregateError with an empty message. */
function messageOf(thrown: unknown): string {
  const error = toError(thrown)
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ')
  return error.message
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}
