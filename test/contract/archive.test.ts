import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Archive } from '../../server/engine/archive/archive.ts'
import { MemoryArchive } from '../../server/engine/archive/memoryArchive.ts'
import type { MemoryArchiveStore } from '../../server/engine/archive/memoryArchive.ts'
import { openArchive } from '../../server/engine/archive/openArchive.ts'
import type { ArchiveUnderTest } from '../../server/testing/archiveContract.ts'
import { archiveContract } from '../../server/testing/archiveContract.ts'
import { FaultyArchive } from '../../server/testing/faultyArchive.ts'
import { keyOf } from '../../server/engine/archive/s3/keys.ts'
import { postgresMissing, PostgresServer } from '../support/postgresServer.ts'
import { swiftMissing, SwiftServer } from '../support/swiftServer.ts'

/** @param wrap a wrapper that injects nothing must be invisible */
async function makeMemory(wrap: (archive: Archive) => Archive): Promise<ArchiveUnderTest> {
  const store: MemoryArchiveStore = new Map()
  const open = (): Archive => wrap(new MemoryArchive(store))
  const archive = open()
  return {
    archive,
    reopen: async () => open(),
    peer: async () => open(),
    damage: async (document, reference) => {
      const bytes = store.get(document)?.get(reference)
      bytes?.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
    },
    cleanup: () => archive.close(),
  }
}

describe.each([
  ['memory', (archive: Archive) => archive],
  ['faulty without faults', (archive: Archive) => new FaultyArchive(archive)],
])('archive contract: %s', (_name, wrap) => {
  test.each(archiveContract(() => makeMemory(wrap)))('$title', ({ run }) => run())
})

/** @param url of a place where nothing is yet */
async function makeRemote(
  url: string,
  behind: Pick<ArchiveUnderTest, 'damage'> & { readonly remove: () => Promise<unknown> },
): Promise<ArchiveUnderTest> {
  const opened: Archive[] = []
  const open = async (): Promise<Archive> => {
    const archive = await openArchive({ url })
    opened.push(archive)
    return archive
  }
  const archive = await open()
  return {
    archive,
    reopen: async () => {
      await archive.close()
      return open()
    },
    peer: open,
    damage: behind.damage,
    cleanup: async () => {
      await Promise.all(opened.map((one) => one.close()))
      await behind.remove()
    },
  }
}

const skipped = (missing: string | null): string => (missing === null ? '' : ` (skipped: ${missing})`)

describe.skipIf(postgresMissing !== null)(`archive contract: PostgreSQL${skipped(postgresMissing)}`, () => {
  let server: PostgresServer
  let cases = 0
  beforeAll(async () => {
    server = await PostgresServer.start()
  }, 60_000)
  afterAll(() => server.dispose())

  async function makePostgres(): Promise<ArchiveUnderTest> {
    const schema = `case_${String(cases++)}`
    await server.sql(`CREATE SCHEMA ${schema}`)
    return makeRemote(server.url({ schema }), {
      damage: async (document, reference) => {
        const last = 'octet_length(part) - 1'
        const damage = `UPDATE ${schema}.scriptorium_archive SET part = set_byte(part, ${last}, get_byte(part, ${last}) # 1)`
        await server.sql(`${damage} WHERE name = $1 AND reference = $2`, [Buffer.from(document), reference])
      },
      remove: () => server.sql(`DROP SCHEMA ${schema} CASCADE`),
    })
  }

  test.each(archiveContract(makePostgres))('$title', ({ run }) => run())
})

describe.skipIf(swiftMissing !== null)(`archive contract: S3${skipped(swiftMissing)}`, () => {
  let server: SwiftServer
  let cases = 0
  beforeAll(async () => {
    server = await SwiftServer.start()
  }, 60_000)
  afterAll(() => server.dispose())

  async function makeS3(): Promise<ArchiveUnderTest> {
    const prefix = `some/case-${String(cases++)}/`
    return makeRemote(server.url(prefix), {
      damage: async (document, reference) => {
        const [bucket, key] = [server.bucket(''), keyOf(prefix, document, reference)]
        const bytes = (await bucket.get(key)) ?? Buffer.alloc(1)
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
        await bucket.put(key, bytes)
      },
      remove: () => Promise.resolve(),
    })
  }

  test.each(archiveContract(makeS3))('$title', ({ run }) => run())
})
