import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import * as z from 'zod/mini'

// The package refers to itself by name, so that this works from the sources, from dist/ and from node_modules alike.
const manifestPath = createRequire(import.meta.url).resolve('scriptorium/package.json')

/** The version in package.json. */
export const packageVersion: string = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(manifestPath, 'utf8'))).version

/** Where the build puts the demo editor. It may not exist. */
export const demoDirectory: string = join(dirname(manifestPath), 'dist', 'client', 'demo')
