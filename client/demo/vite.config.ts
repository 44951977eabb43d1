import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { defineConfig } from 'vite'
import { compress } from './build/compress.ts'
import { preload } from './build/preload.ts'

const page = fileURLToPath(new URL('./index.html', import.meta.url))
const worker = fileURLToPath(new URL('./worker.ts', import.meta.url))

/** Tells the service worker which files there are. */
const listFiles: Plugin = {
  name: 'list-files',
  enforce: 'post',
  generateBundle(_options, bundle) {
    const files = Object.keys(bundle).filter((file) => file.startsWith('assets/'))
    const chunk = bundle['worker.js']
    if (chunk?.type === 'chunk') chunk.code = chunk.code.replaceAll('__FILES__', JSON.stringify(files))
  },
}

/** Each takes along what it imports, as far as no other one has it. */
const CHUNKS = [
  // These two make an error when they are run. V8 then reads the whole file around it once more, so let that be a small one.
  { name: 'model', test: /prosemirror-model/ },
  { name: 'decoding', test: /lib0[\\/]decoding/ },
  // The connection, the document and what stands around it: runs while the editor is still being read.
  { name: 'start', test: /demo[\\/]page\.ts$|indexedDbStore\.ts$/ },
  { name: 'text', test: /textEditor\.ts$/ },
]

export default defineConfig({
  base: './',
  plugins: [listFiles, preload(['text']), compress],
  build: {
    outDir: '../../dist/client/demo',
    emptyOutDir: true,
    target: 'es2022',
    // An asset inlined as a data: address would need a wider Content-Security-Policy than 'self'.
    assetsInlineLimit: 0,
    // Plain bytes of the largest file: the code editor with its languages, which is loaded when it is asked for.
    chunkSizeWarningLimit: 800,
    rolldownOptions: {
      input: { index: page, worker },
      checks: { bundlerTimings: false }, // compressing takes most of the time, as is known
      // A service worker looks after what lies beside and below it, so it must lie beside the page, under one name.
      output: {
        entryFileNames: ({ name }) => (name === 'worker' ? 'worker.js' : 'assets/[name]-[hash].js'),
        codeSplitting: { groups: CHUNKS },
      },
    },
  },
  resolve: {
    // Two copies of any of these do not recognise each other's objects, and documents silently stop syncing.
    dedupe: ['yjs', 'y-protocols', 'lib0', 'prosemirror-model', 'prosemirror-state', 'prosemirror-view'],
  },
})
