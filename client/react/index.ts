/** `scriptorium/react`: a document and its connection as React state. React 18 or newer. */
export { useDocument } from './useDocument.ts'
export type { OpenRoom, UseDocumentOptions } from './useDocument.ts'
export { usePresence } from './usePresence.ts'
export type { Person, Presence } from './usePresence.ts'
export { useConnectionStatus, useUnsavedChanges } from './useProvider.ts'
export type { ConnectionStatus } from './useProvider.ts'
