import type { ServerName } from '../servers/serverKind.ts'

/** The clients that are compared; each has the column of the server of its name. */
export const clientTitles = {
  ours: 'Scriptorium client',
  'y-websocket': 'y-websocket 3.1.0',
  hocuspocus: '@hocuspocus/provider 4.8.0',
} as const satisfies Partial<Record<ServerName, string>>

export type ClientName = keyof typeof clientTitles

export const clientNames = Object.keys(clientTitles) as readonly ClientName[]

/** `none`: Yjs alone does the same, so that it can be subtracted. */
export type SubjectName = ClientName | 'none'
