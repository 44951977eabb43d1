import { toError } from '../../../../shared/errors.ts'
import type { Clock } from '../../../clock.ts'
import type { EngineHealth } from '../../engine.ts'
import { Remote } from '../remote.ts'
import { Lanes } from './lanes.ts'
import type { S3Address } from './address.ts'
import { describeFailure, isPassing, NoAnswerError, RefusedError } from './failures.ts'
import { signedHeaders } from './signature.ts'
import type { S3Request } from './signature.ts'

export interface BucketOptions {
  readonly address: S3Address
  readonly clock: Clock
  /** Called on every change between working and not working. Must not throw. */
  readonly onHealth: (health: EngineHealth) => void
  /** Milliseconds a request may take, its body included; default 60 s. */
  readonly answerTimeoutMs?: number
  /** Keys asked for at once; default 1,000, which is also what a store gives at most. */
  readonly pageSize?: number
}

export interface Page {
  /** Of objects, and, where a listing was cut at a delimiter, of what they have in common. In order. */
  readonly keys: readonly string[]
  readonly isTruncated: boolean
}

export interface PageQuery {
  readonly prefix: string
  /** Only keys after this one. */
  readonly after?: string
  /** "/": what has the same beginning up to it is one entry. */
  readonly delimiter?: string
  /** At most this many. */
  readonly limit: number
}

const MAX_CONNECTIONS = 8
const ANSWER_TIMEOUT_MS = 60_000

/** One bucket of an S3-compatible store. */
export class Bucket {
  readonly #options: BucketOptions
  readonly #remote: Remote
  readonly #lanes = new Lanes(MAX_CONNECTIONS)

  constructor(options: BucketOptions) {
    const { clock, onHealth, address } = options
    this.#options = options
    this.#remote = new Remote({ clock, onHealth, isPassing, describe: (thrown) => describeFailure(address, thrown) })
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.#send({ method: 'PUT', url: this.#url(key), body })
  }

  /** null: there is no such object in the bucket (which is there). */
  async get(key: string): Promise<Buffer | null> {
    return this.#send({ method: 'GET', url: this.#url(key), body: nothing })
  }

  /** An object that is not there is no error. */
  async delete(key: string): Promise<void> {
    await this.#send({ method: 'DELETE', url: this.#url(key), body: nothing })
  }

  async page({ prefix, after, delimiter, limit }: PageQuery): Promise<Page> {
    const url = this.#url('')
    const query: readonly (readonly [string, string | undefined])[] = [
      // In the order of the alphabet, as the signature wants them.
      ['delimiter', delimiter],
      ['list-type', '2'],
      ['max-keys', String(limit)],
      ['prefix', prefix],
      ['start-after', after],
    ]
    const given = query.filter((pair): pair is [string, string] => pair[1] !== undefined)
    url.search = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
    return this.#remote.run(async () =>
      readPage((await this.#attempt({ method: 'GET', url, body: nothing })) ?? nothing),
    )
  }

  health(): EngineHealth {
    return this.#remote.health()
  }

  close(): Promise<void> {
    return this.#remote.close(() => Promise.resolve())
  }

  #url(key: string): URL {
    const { endpoint, bucket } = this.#options.address
    return new URL(`${endpoint}/${bucket}${key === '' ? '' : `/${key}`}`)
  }

  #send(request: S3Request): Promise<Buffer | null> {
    return this.#remote.run(() => this.#attempt(request))
  }

  #attempt(request: S3Request): Promise<Buffer | null> {
    return this.#lanes.run(async () => {
      const abort = new AbortController()
      const timeout = this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS
      const cancel = this.#options.clock.after(timeout, () => {
        abort.abort(new NoAnswerError(`no answer within ${String(timeout)} ms`))
      })
      try {
        return await this.#exchange(request, abort.signal)
      } catch (thrown) {
        throw abort.signal.aborted ? toError(abort.signal.reason) : thrown
      } finally {
        cancel()
      }
    })
  }

  async #exchange(request: S3Request, signal: AbortSignal): Promise<Buffer | null> {
    // Wall-clock time, which the signature is made of.
    const headers = signedHeaders(request, this.#options.address.credentials, new Date())
    const { method, url, body } = request
    const response = await fetch(url, {
      method,
      headers,
      signal,
      // A redirect would have to be signed anew; it means that the address names the wrong region.
      redirect: 'manual',
      ...(method === 'PUT' ? { body } : {}),
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.ok) return bytes
    const refused = new RefusedError(response.status, bytes.toString('utf8'))
    if (refused.reason === 'NoSuchKey') return null
    throw refused
  }
}

const nothing = new Uint8Array(0)

/** Keys of ours hold nothing that XML escapes. Whatever is not a listing must not look like an empty one. */
function readPage(bytes: Uint8Array): Page {
  const text = Buffer.from(bytes).toString('utf8')
  const isTruncated = /<ListBucketResult[\s>][^]*<IsTruncated>(?<word>true|false)<\/IsTruncated>/.exec(text)
  if (isTruncated === null) throw new Error('it answers with something that is no listing of a bucket')
  const keys = [...text.matchAll(/<Key>(?<key>[^<]*)<\/Key>/g)]
  const common = [...text.matchAll(/<CommonPrefixes>\s*<Prefix>(?<key>[^<]*)<\/Prefix>/g)]
  return {
    keys: [...keys, ...common].map(({ groups }) => groups?.['key'] ?? '').sort(),
    isTruncated: isTruncated.groups?.['word'] === 'true',
  }
}
