import type { HtmlTagDescriptor, Plugin } from 'vite'

interface Chunk {
  readonly name: string
  readonly fileName: string
  readonly imports: readonly string[]
}

/**
 * Has the page fetch and read these chunks from the start, although they are run later: what is imported on demand would
 * otherwise be asked for when everything before it has been run.
 */
export function preload(names: readonly string[]): Plugin {
  return {
    name: 'preload',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle = {} }) {
        const chunks = new Map<string, Chunk>()
        for (const output of Object.values(bundle)) if (output.type === 'chunk') chunks.set(output.fileName, output)
        const wanted = [...chunks.values()].filter(({ name }) => names.includes(name))
        const files = closure(wanted, chunks).filter((file) => !html.includes(file))
        return files.map(link)
      },
    },
  }
}

/** The chunks, and all they import at once. */
function closure(wanted: readonly Chunk[], chunks: ReadonlyMap<string, Chunk>): string[] {
  const found = new Set<string>()
  const visit = (chunk: Chunk | undefined): void => {
    if (chunk === undefined || found.has(chunk.fileName)) return
    found.add(chunk.fileName)
    for (const file of chunk.imports) visit(chunks.get(file))
  }
  for (const chunk of wanted) visit(chunk)
  return [...found]
}

function link(file: string): HtmlTagDescriptor {
  return { tag: 'link', attrs: { rel: 'modulepreload', crossorigin: true, href: `./${file}` }, injectTo: 'head' }
}
