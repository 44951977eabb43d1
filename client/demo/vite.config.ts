import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { defineConfig } from 'vite'
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

export default defineConfig({
  base: './',
  plugins: [listFiles, preload(['text'])],
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
      // A service worker looks after what lies beside and below it, so it must lie beside the page, under one name.
      output: {
        entryFileNames: ({ name }) => (name === 'worker' ? 'worker.js' : 'assets/[name]-[hash].js'),
        codeSplitting: {
          groups: [
            { name: 'model', test: /prosemirror-model/ },
            { name: 'decoding', test: /lib0[\\/]decoding|rolldown[\\/]runtime/ },
            { name: 'start', test: /demo[\\/]page\.ts$|indexedDbStore\.ts$/ },
            { name: 'text', test: /textEditor\.ts$/ },
          ],
        },
      },
    },
  },
  resolve: {
    // Two copies of any of these do not recognise each other's objects, and documents silently stop syncing.
    dedupe: ['yjs', 'y-protocols', 'lib0', 'prosemirror-model', 'prosemirror-state', 'prosemirror-view'],
  },
})
