/**
 * Every error this project throws on purpose. Callers branch on `code`, which is stable; the message is for people.
 * `cause` keeps what lay underneath.
 */
export class ScriptoriumError<Code extends string = string> extends Error {
  readonly code: Code

  constructor(code: Code, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.name = new.target.name
  }
}

/** A frame, or something inside it, that cannot be decoded: the connection that sent it is closed 1007. */
export class MalformedFrameError extends ScriptoriumError {
  constructor(message: string, cause?: unknown) {
    super('MALFORMED_FRAME', message, cause)
  }
}

/** A Yjs update (format V1) that would hang, half-apply or throw inside Yjs. Never applied, stored, relayed or acknowledged. */
export class MalformedUpdateError extends ScriptoriumError {
  constructor(message: string, cause?: unknown) {
    super('MALFORMED_UPDATE', message, cause)
  }
}

/** Decodable, but nothing a client may say: the connection is closed 1008. */
export class ProtocolViolationError extends ScriptoriumError {
  constructor(message: string) {
    super('PROTOCOL_VIOLATION', message)
  }
}

/** A well-formed request that exceeds one of the named limits: the connection is closed 1008. */
export class LimitExceededError extends ScriptoriumError {
  readonly limit: string

  constructor(limit: string, message: string) {
    super('LIMIT_EXCEEDED', message)
    this.limit = limit
  }
}

/** A document name that cannot name a document (empty, too long, control characters, not decodable). */
export class InvalidNameError extends ScriptoriumError {
  constructor(message: string, cause?: unknown) {
    super('INVALID_NAME', message, cause)
  }
}

/** A configuration value that is wrong; the message names the option as the user wrote it. */
export class InvalidOptionError extends ScriptoriumError {
  readonly option: string

  constructor(option: string, message: string) {
    super('INVALID_OPTION', message)
    this.option = option
  }
}

/** What can be wrong with the place where documents are kept. */
export type StorageErrorCode =
  | 'STORAGE_LOCKED' //   another process holds the data directory
  | 'STORAGE_MISSING' //  initialised before, but the database is gone: never silently created anew
  | 'STORAGE_FOREIGN' //  not ours, or of a format this version does not know
  | 'STORAGE_CORRUPT' //  the database does not open
  | 'STORAGE_UNAVAILABLE' // writing or reading failed; the same call may succeed later
  | 'STORAGE_CLOSED' //   used after close()
  | 'ARCHIVE_DAMAGED' //  an archived part of a document is missing or not what was kept: never taken for "empty"

/** Thrown by an `Engine` and by an `Archive`. */
export class StorageError extends ScriptoriumError<StorageErrorCode> {}

/** A fault of this server's. The connection in whose name it happened is closed 1011; nothing else is touched. */
export class InternalError extends ScriptoriumError {
  constructor(cause: unknown) {
    super('INTERNAL', 'internal error', cause)
  }
}

/** What was thrown, if it was thrown on purpose; everything else is a fault of ours. */
export function toScriptoriumError(thrown: unknown): ScriptoriumError {
  return thrown instanceof ScriptoriumError ? (thrown as ScriptoriumError) : new InternalError(thrown)
}

/** Turns whatever was thrown into an `Error`, so that `cause` chains and log lines never hold a bare string. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
