import { defineConfig } from 'vite'

export default defineConfig({
  base: './',
  build: {
    outDir: '../../dist/client/demo',
    emptyOutDir: true,
    target: 'es2022',
    // An asset inlined as a data: address would need a wider Content-Security-Policy than 'self'.
    assetsInlineLimit: 0,
    // One file holds everything the page needs; 500 kB is Vite's default warning for plain bytes.
    chunkSizeWarningLimit: 800,
  },
  resolve: {
    // Two copies of any of these do not recognise each other's objects, and documents silently stop syncing.
    dedupe: ['yjs', 'y-protocols', 'lib0', 'prosemirror-model', 'prosemirror-state', 'prosemirror-view'],
  },
})
