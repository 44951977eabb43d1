import type * as Y from 'yjs'

/** Everything in the document, of both editors' roots, in a form two pages can be compared by. */
export interface WholeDocument {
  readonly code: string
  readonly richText: string
}

declare global {
  interface Window {
    wholeDocument: () => WholeDocument
  }
}

/** Lets the test read the page's own copy of the document. */
export function exposeDocument(ydoc: Y.Doc): void {
  window.wholeDocument = () => ({
    code: ydoc.getText('code').toJSON(),
    richText: ydoc.getXmlFragment('default').toJSON(),
  })
}

/** The document's name, from the fragment of the page's address. */
export function roomName(): string {
  return decodeURIComponent(location.hash.slice(1))
}

export function socketOrigin(): string {
  return location.origin.replace(/^http/, 'ws')
}
