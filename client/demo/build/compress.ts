import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import type { Plugin } from 'vite'

const ENCODINGS = { br: promisify(brotliCompress), gz: promisify(gzip) }
/** Everything the build makes, but pictures that are compressed already. */
const TEXT = /\.(?:html|js|css|svg)$/

/** Puts each file there compressed as well, for the server to choose from: it does not compress anything by itself. */
export const compress: Plugin = {
  name: 'compress',
  async writeBundle({ dir = '' }, bundle) {
    const files = Object.keys(bundle).filter((file) => TEXT.test(file))
    await Promise.all(files.map((file) => compressFile(join(dir, file))))
  },
}

async function compressFile(path: string): Promise<void> {
  const content = await readFile(path)
  const write = async (ending: keyof typeof ENCODINGS): Promise<void> => {
    await writeFile(`${path}.${ending}`, await ENCODINGS[ending](content))
  }
  await Promise.all([write('br'), write('gz')])
}
