/** What `import … from 'scriptorium'` offers. */
export { createServer } from './server.ts'
export type { Documents, ScriptoriumServer, ServerOptions } from './server.ts'
export type { Cluster, Collaborator, NodeStatus } from './cluster/cluster.ts'
export type { Clock } from './clock.ts'
export type { Cursor, Durability, Engine, EngineHealth, Entry, ListQuery, Loaded, Snapshot } from './engine/engine.ts'
export type { Observer, Protocol, ServerEvent } from './observer.ts'
