import * as Y from 'yjs'
import type { ProviderOptions } from '../options.ts'
import type { WaitOptions } from '../provider.ts'
import { WebsocketProvider } from '../provider.ts'

/** Those of the provider, and when to give up. */
export interface OpenDocumentOptions extends Omit<ProviderOptions<WebsocketProvider>, 'awareness' | 'connect'> {
  /** Gives up opening: what has been made is destroyed, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A document, and its connection. */
export interface OpenDocument {
  readonly doc: Y.Doc
  readonly provider: WebsocketProvider
  /**
   * Resolves when every edit made before the call is saved on the server; see `WebsocketProvider.whenSaved`, also for what
   * it throws.
   */
  save(options?: WaitOptions): Promise<void>
  /** Ends connection and document. What has not been saved is lost. */
  close(): void
}

/**
 * Opens a document for a script: resolves when it is what the server has. It tells no other tabs of it, and has no presence
 * unless the script sets one.
 *
 * @param url `ws://` or `wss://`, without the document
 * @throws AccessDeniedError, InvalidOptionError, or the signal's reason
 */
export async function openDocument(
  url: string,
  name: string,
  { signal, ...options }: OpenDocumentOptions = {},
): Promise<OpenDocument> {
  signal?.throwIfAborted()
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url, name, doc, { disableBc: true, ...options })
  provider.awareness.setLocalState(null)
  const close = (): void => {
    provider.destroy()
    doc.destroy()
  }
  try {
    await abortable(provider.whenSynced, signal)
  } catch (error) {
    close()
    throw error
  }
  return { doc, provider, save: (wait) => provider.whenSaved(wait), close }
}

async function abortable(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work
  let onAbort = (): void => undefined
  const aborted = new Promise<void>((_resolve, reject) => {
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- a signal's reason is whatever its owner chose
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
  })
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
