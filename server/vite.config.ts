import { defineConfig } from 'vite'

/**
 * The command line as one file. Reading and linking 600 small modules takes longer than everything else a start does,
 * and a restart is when a thousand clients wait. The library itself is not bundled.
 */
export default defineConfig({
  root: import.meta.dirname,
  logLevel: 'warn',
  ssr: { noExternal: true, external: ['classic-level', 'pino-pretty', '@redis/client', 'pg'] },
  build: {
    ssr: 'main.ts',
    outDir: '../dist/bin',
    emptyOutDir: true,
    target: 'node20',
    sourcemap: true,
    rollupOptions: {
      output: {
        entryFileNames: 'scriptorium.js',
        // White space is half of what V8 has to read; names stay, so that stack traces can be read.
        minify: { mangle: false, compress: false, codegen: { removeWhitespace: true } },
      },
    },
  },
})
