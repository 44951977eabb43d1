import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Observer, Protocol, ServerEvent } from './observer.ts'

/** Numbers that are read when somebody asks, not counted as they change. */
interface MetricSources {
  /** Open WebSockets, those that have not spoken yet included. */
  readonly connections: () => number
  /** Documents in memory. */
  readonly documents: () => number
  /** What went over the sockets since the start. */
  readonly traffic: () => Traffic
  /** Nodes that share the storage and were heard of lately. */
  readonly nodes: () => number
}

/** Counted for every frame, and therefore in plain numbers by whoever handles frames. */
interface Traffic {
  readonly framesIn: number
  readonly bytesIn: number
  readonly writes: number
  readonly bytesOut: number
}

export interface MetricsOptions {
  readonly sources: MetricSources
  /**
   * Adds `process_*` and `nodejs_*`. They watch the whole process and cannot be taken off again: for the process that
   * is the server, not for one embedded in another program (default false).
   */
  readonly processMetrics?: boolean
}

export interface Metrics {
  readonly observer: Observer
  readonly contentType: string
  /** The metrics in Prometheus' text format. */
  text(): Promise<string>
}

/** Milliseconds between two looks at the event loop's lag. At prom-client's 10 an idle server spends half its CPU on it. */
const LAG_PRECISION_MS = 100

/** From half a millisecond to ten seconds, in seconds: a commit in memory to a disk in trouble. */
const durationBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

/** One registry of its own per server. No label ever holds what a client can choose: no names, no addresses. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry()
  if (options.processMetrics === true) {
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_PRECISION_MS })
  }
  addSources(registry, options.sources)
  const connections = observeConnections(registry)
  const documents = observeDocuments(registry)
  const storage = observeStorage(registry)
  const nodes = observeNodes(registry)
  return {
    observer: {
      observe: (event) => {
        connections(event)
        documents(event)
        storage(event)
        nodes(event)
      },
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  }
}

type Observe = (event: ServerEvent) => void

function addSources(registry: Registry, sources: MetricSources): void {
  gauge(registry, 'sockets_open', 'Open WebSockets, those that have not spoken yet included.', sources.connections)
  gauge(registry, 'documents_open', 'Documents in memory.', sources.documents)
  gauge(registry, 'cluster_nodes', 'Nodes that share the storage, as seen from this one.', sources.nodes)
  const { traffic } = sources
  reading(registry, 'messages_total', 'Messages received.', () => traffic().framesIn)
  reading(registry, 'writes_total', 'Writes to sockets; one may carry several frames.', () => traffic().writes)
  reading(registry, 'received_bytes_total', 'Bytes of messages received.', () => traffic().bytesIn)
  reading(registry, 'sent_bytes_total', 'Bytes written to sockets.', () => traffic().bytesOut)
}

function observeConnections(registry: Registry): Observe {
  const open = new Gauge({
    ...named('connections', 'Open connections that have spoken, by protocol.', registry),
    labelNames: ['protocol'],
  })
  const total = counter(registry, 'connections_total', 'Connections since the start, by protocol.', ['protocol'])
  const closed = counter(registry, 'disconnections_total', 'Connections that ended, by WebSocket close code.', ['code'])
  const refused = counter(registry, 'refused_total', 'Upgrades answered with an HTTP error, by status.', ['status'])
  const rejected = counter(registry, 'rejected_total', 'Connections closed for what they sent, by error.', ['error'])
  const lagging = counter(registry, 'lagging_total', 'Times a socket passed its high-water mark.')
  const ignored = counter(registry, 'ignored_messages_total', 'Messages of unknown type, by protocol.', ['protocol'])
  for (const protocol of protocols) {
    open.set({ protocol }, 0)
    total.inc({ protocol }, 0)
  }
  return (event) => {
    if (event.type === 'connected') {
      open.inc({ protocol: event.protocol })
      total.inc({ protocol: event.protocol })
    } else if (event.type === 'disconnected') {
      if (event.protocol !== null) open.dec({ protocol: event.protocol })
      closed.inc({ code: closeCodeLabel(event.code) })
    } else if (event.type === 'refused') refused.inc({ status: String(event.status) })
    else if (event.type === 'rejected') rejected.inc({ error: event.error.code })
    else if (event.type === 'lagging') lagging.inc()
    else if (event.type === 'ignored') ignored.inc({ protocol: event.protocol })
  }
}

/** Clients may close with any code from 3000 to 4999; one time series for each would be theirs to create. */
function closeCodeLabel(code: number): string {
  if (code >= 1000 && code <= 1015) return String(code)
  return code >= 3000 && code <= 4999 ? `${String(Math.floor(code / 1000))}xxx` : 'other'
}

function observeDocuments(registry: Registry): Observe {
  const loads = counter(registry, 'documents_loaded_total', 'Loads of documents, by result.', ['result'])
  const loadSeconds = histogram(registry, 'doc_load_seconds', 'Time to read a document from storage.')
  const poisoned = counter(registry, 'poisoned_total', 'Updates that passed validation and still broke a document.')
  const quarantined = counter(
    registry,
    'quarantined_total',
    'Pieces of unreadable data found in storage and copied aside.',
  )
  return (event) => {
    if (event.type === 'loaded') {
      loads.inc({ result: event.damaged ? 'damaged' : 'ok' })
      loadSeconds.observe(event.milliseconds / 1000)
    } else if (event.type === 'loadFailed') loads.inc({ result: 'failed' })
    else if (event.type === 'poisoned') poisoned.inc()
    else if (event.type === 'quarantined') quarantined.inc()
  }
}

function observeStorage(registry: Registry): Observe {
  const updates = counter(registry, 'updates_applied_total', 'Updates of clients that are durable.')
  const commits = counter(registry, 'commits_total', 'Records written; one may hold many updates.', ['result'])
  const commitBytes = counter(registry, 'update_bytes_total', 'Bytes of records written (updates, merged).')
  const commitSeconds = histogram(registry, 'persist_seconds', 'Time from an update’s arrival to its durability.')
  const recipients = counter(registry, 'deliveries_total', 'Records relayed, times the sessions they were relayed to.')
  const compactions = counter(registry, 'compactions_total', 'Compactions, by result.', ['result'])
  let failing = 0
  gauge(registry, 'storage_failing', '1 while storage does not work and nothing is acknowledged.', () => failing)
  return (event) => {
    if (event.type === 'committed') {
      updates.inc(event.updates)
      commits.inc({ result: 'done' })
      commitBytes.inc(event.bytes)
      commitSeconds.observe(event.milliseconds / 1000)
      recipients.inc(event.recipients)
    } else if (event.type === 'commitFailed') commits.inc({ result: 'failed' })
    else if (event.type === 'compacted') compactions.inc({ result: event.result })
    else if (event.type === 'compactionFailed') compactions.inc({ result: 'failed' })
    else if (event.type === 'storageFailing') failing = 1
    else if (event.type === 'storageRecovered') failing = 0
  }
}

function observeNodes(registry: Registry): Observe {
  const help = 'Messages between nodes that could not be read, and were dropped.'
  const unreadable = counter(registry, 'bad_messages_total', help)
  return (event) => {
    if (event.type === 'poisonMessage' || event.type === 'badMessage') unreadable.inc()
  }
}

const protocols: readonly Protocol[] = ['y-websocket', 'hocuspocus']

interface Named {
  readonly name: string
  readonly help: string
  readonly registers: Registry[]
}

function named(name: string, help: string, registry: Registry): Named {
  return { name: `scriptorium_${name}`, help, registers: [registry] }
}

function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[] = [],
): Counter<Label> {
  return new Counter({ ...named(name, help, registry), labelNames })
}

function histogram(registry: Registry, name: string, help: string): Histogram {
  return new Histogram({ ...named(name, help, registry), buckets: durationBuckets })
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  const metric = new Gauge({
    ...named(name, help, registry),
    collect: () => {
      metric.set(read())
    },
  })
}

/** A counter that somebody else keeps. */
function reading(registry: Registry, name: string, help: string, read: () => number): void {
  const metric = new Counter({
    ...named(name, help, registry),
    collect: () => {
      metric.reset()
      metric.inc(read())
    },
  })
}
