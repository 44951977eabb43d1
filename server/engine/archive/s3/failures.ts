import { toError } from '../../../../shared/errors.ts'
import { isNetworkTrouble } from '../networkTrouble.ts'
import type { S3Address } from './address.ts'

/** The store answered, and did not do what it was asked. */
export class RefusedError extends Error {
  readonly status: number
  /** S3's own code: "NoSuchBucket", "SlowDown"; '' when the answer has none. */
  readonly reason: string

  constructor(status: number, body: string) {
    const reason = /<Code>(?<code>\w+)<\/Code>/.exec(body)?.groups?.['code'] ?? ''
    super(`it answers ${String(status)}${reason === '' ? '' : ` ${reason}`}`)
    this.status = status
    this.reason = reason
  }
}

/** Nothing came back in time. */
export class NoAnswerError extends Error {}

/** Failures on the way, and what a store says when it has too much to do. */
export function isPassing(thrown: unknown): boolean {
  if (thrown instanceof RefusedError) return thrown.status >= 500 || thrown.status === 429
  // Thrown by fetch; what is wrong is in the cause.
  return thrown instanceof TypeError
}

/** Nobody answers; or who does has no time for us. A name that nobody knows, or a wrong certificate, is an answer. */
export function isUnreachable(thrown: unknown): boolean {
  if (thrown instanceof RefusedError) return isPassing(thrown)
  if (thrown instanceof NoAnswerError) return true
  return thrown instanceof TypeError && isNetworkTrouble(thrown.cause)
}

/** What is wrong, in one sentence. */
export function describeFailure(address: S3Address, thrown: unknown): string {
  const place = `The archive ${address.description}`
  switch (thrown instanceof RefusedError ? thrown.reason : '') {
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
      return `${place} refuses this key or secret.`
    case 'AccessDenied':
      return `${place} does not let this key list, read, write and delete.`
    case 'NoSuchBucket':
      return `${place} does not exist: create the bucket first.`
    case 'RequestTimeTooSkewed':
      return `${place} says that the clock of this machine is wrong.`
    case 'PermanentRedirect':
    case 'TemporaryRedirect':
    case 'AuthorizationHeaderMalformed':
      return `${place} is in another region: say which, with ?region= at the end of the address.`
    default:
      return `${place} cannot be used: ${messageOf(thrown)}.`
  }
}

function messageOf(thrown: unknown): string {
  const { message, cause } = toError(thrown)
  return cause instanceof Error && cause.message !== '' ? cause.message : message
}
