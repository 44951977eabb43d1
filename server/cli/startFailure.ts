import { StorageError, toError } from '../../shared/errors.ts'
import type { ParsedOptions } from '../options/parse.ts'

/** Why the server could not start, in one sentence and in the words of the one who started it. */
export function describeStartFailure(thrown: unknown, { options, sources }: ParsedOptions): string {
  const error = toError(thrown)
  if (error instanceof StorageError) return error.message
  const place = `${options.host} port ${String(options.port)}`
  switch ('code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return `${place} is already in use by another program; stop that one or choose another port with --port.`
    case 'EACCES':
      return `${place} may not be used by this user; ports below 1024 usually need special rights.`
    case 'EADDRNOTAVAIL':
      return `${options.host} (${sources.host}) is not an address of this machine.`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${options.host} (${sources.host}) is not a host name that can be resolved.`
    default:
      return error.message
  }
}
