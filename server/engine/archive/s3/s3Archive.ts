import type { StorageError } from '../../../../shared/errors.ts'
import type { EngineHealth, ListQuery, Snapshot } from '../../engine.ts'
import type { Archive, ArchiveReference } from '../archive.ts'
import { damaged, decodePart, encodePart, isReference, newReference } from '../part.ts'
import { firstLook } from '../firstLook.ts'
import { Bucket } from './bucket.ts'
import type { BucketOptions, PageQuery } from './bucket.ts'
import { isUnreachable } from './failures.ts'
import { folderOf, foldersOf, keyOf, nameOf } from './keys.ts'

export interface S3ArchiveOptions extends BucketOptions {
  /** See `ArchiveOptions`. */
  readonly onUnreachable?: (error: StorageError) => void
}

const PAGE_SIZE = 1000
/** Sorts after every reference, and before every longer name: "/" < "~" and "/" < "0". */
const AFTER_REFERENCES = '~'

/**
 * Parts as objects of a bucket that exists, in any store that speaks the S3 protocol. A part is durable when the store says
 * so; where listings lag behind writes (some stores' do) so does `list`, but never `get`.
 *
 * @throws StorageError STORAGE_UNAVAILABLE; the message says what to do
 */
export async function openS3Archive(options: S3ArchiveOptions): Promise<Archive> {
  const bucket = new Bucket(options)
  await firstLook({
    look: async () => void (await bucket.page({ prefix: options.address.prefix, limit: 1 })),
    isUnreachable,
    onUnreachable: options.onUnreachable,
    close: () => bucket.close(),
  })
  return new S3Archive(bucket, options)
}

class S3Archive implements Archive {
  readonly #bucket: Bucket
  readonly #prefix: string
  readonly #pageSize: number

  constructor(bucket: Bucket, { address, pageSize = PAGE_SIZE }: BucketOptions) {
    this.#bucket = bucket
    this.#prefix = address.prefix
    this.#pageSize = pageSize
  }

  async put(document: string, part: Snapshot): Promise<ArchiveReference> {
    const reference = newReference()
    await this.#bucket.put(keyOf(this.#prefix, document, reference), encodePart(document, reference, part))
    return reference
  }

  async list(document: string): Promise<readonly ArchiveReference[]> {
    const folder = folderOf(this.#prefix, document)
    const references: ArchiveReference[] = []
    for await (const key of this.#keys({ prefix: folder })) {
      const reference = key.slice(folder.length)
      if (isReference(reference)) references.push(reference)
    }
    return references
  }

  async get(document: string, reference: ArchiveReference): Promise<Snapshot> {
    const bytes = isReference(reference) ? await this.#bucket.get(keyOf(this.#prefix, document, reference)) : null
    if (bytes === null) throw damaged(document, reference, 'it is not there')
    return decodePart(document, reference, bytes)
  }

  async drop(document: string, references: readonly ArchiveReference[]): Promise<void> {
    const keys = references.filter(isReference).map((reference) => keyOf(this.#prefix, document, reference))
    await Promise.all(keys.map((key) => this.#bucket.delete(key)))
  }

  async names({ prefix = '', after, limit }: ListQuery): Promise<readonly string[]> {
    const names: string[] = []
    if (limit === 0) return names
    const from = after === undefined ? {} : { after: folderOf(this.#prefix, after) + AFTER_REFERENCES }
    for await (const folder of this.#keys({ prefix: foldersOf(this.#prefix, prefix), delimiter: '/', ...from })) {
      const name = nameOf(this.#prefix, folder)
      if (name?.startsWith(prefix) === true) names.push(name)
      if (names.length === limit) break
    }
    return names
  }

  health(): EngineHealth {
    return this.#bucket.health()
  }

  close(): Promise<void> {
    return this.#bucket.close()
  }

  async *#keys(query: Omit<PageQuery, 'limit'>): AsyncGenerator<string> {
    for (let next: typeof query | null = query; next !== null;) {
      const { keys, isTruncated } = await this.#bucket.page({ ...next, limit: this.#pageSize })
      yield* keys
      const last = keys.at(-1)
      next = isTruncated && last !== undefined ? { ...query, after: afterKey(last) } : null
    }
  }
}

/** Of a folder, what comes after all that is in it. */
function afterKey(key: string): string {
  return key.endsWith('/') ? key + AFTER_REFERENCES : key
}
