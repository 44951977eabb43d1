import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../server/metrics.ts'
import type { ServerEvent } from '../../server/observer.ts'
import { MalformedFrameError, StorageError } from '../../shared/errors.ts'

const silence = { framesIn: 0, bytesIn: 0, writes: 0, bytesOut: 0 }
const nothing = { connections: () => 0, documents: () => 0, nodes: () => 1, traffic: () => silence }

async function after(...events: ServerEvent[]): Promise<string> {
  const metrics = createMetrics({ sources: { ...nothing, connections: () => 7, documents: () => 3 } })
  for (const event of events) metrics.observer.observe(event)
  return metrics.text()
}

const remote = '127.0.0.1:1'

describe('metrics', () => {
  test('gauges are asked for at the moment of reading', async () => {
    const text = await after()
    expect(text).toContain('scriptorium_sockets_open 7')
    expect(text).toContain('scriptorium_documents_open 3')
    expect(text).toContain('scriptorium_storage_failing 0')
  })

  test('connections by protocol go up and down; one that never spoke was never counted', async () => {
    const text = await after(
      { type: 'connected', protocol: 'hocuspocus', remote },
      { type: 'connected', protocol: 'hocuspocus', remote },
      { type: 'disconnected', protocol: 'hocuspocus', code: 1001, remote },
      { type: 'disconnected', protocol: null, code: 1008, remote },
    )
    expect(text).toContain('scriptorium_connections{protocol="hocuspocus"} 1')
    expect(text).toContain('scriptorium_connections{protocol="y-websocket"} 0')
    expect(text).toContain('scriptorium_connections_total{protocol="hocuspocus"} 2')
    expect(text).toContain('scriptorium_disconnections_total{code="1008"} 1')
  })

  test('a client cannot create time series with close codes of its own', async () => {
    const codes = Array.from({ length: 3000 }, (_, at) => 2000 + at)
    const text = await after(
      ...codes.map((code): ServerEvent => ({ type: 'disconnected', protocol: null, code, remote })),
    )
    expect(text.match(/^scriptorium_disconnections_total\{/gm)).toHaveLength(3)
    expect(text).toContain('scriptorium_disconnections_total{code="4xxx"} 1000')
  })

  test('traffic is what the sockets counted, also when read twice', async () => {
    const metrics = createMetrics({
      sources: { ...nothing, traffic: () => ({ ...silence, framesIn: 2, bytesOut: 9 }) },
    })
    await metrics.text()
    const text = await metrics.text()
    expect(text).toContain('scriptorium_messages_total 2')
    expect(text).toContain('scriptorium_sent_bytes_total 9')
    expect(text).toContain('scriptorium_received_bytes_total 0')
    expect(text).toContain('scriptorium_writes_total 0')
  })

  test('a commit counts its updates, bytes, recipients and the time to durability', async () => {
    const commit = { type: 'committed', document: 'd', updates: 4, bytes: 50, milliseconds: 20, recipients: 9 } as const
    const text = await after(commit, { type: 'commitFailed', document: 'd', error: new Error('x'), retryIn: 1 })
    expect(text).toContain('scriptorium_updates_applied_total 4')
    expect(text).toContain('scriptorium_update_bytes_total 50')
    expect(text).toContain('scriptorium_deliveries_total 9')
    expect(text).toContain('scriptorium_persist_seconds_sum 0.02')
    expect(text).toContain('scriptorium_persist_seconds_bucket{le="0.01"} 0')
    expect(text).toContain('scriptorium_persist_seconds_bucket{le="0.025"} 1')
    expect(text).toContain('scriptorium_commits_total{result="failed"} 1')
  })

  test('rejections by error, refusals by status, compactions and loads by result', async () => {
    const text = await after(
      { type: 'rejected', error: new MalformedFrameError('bad'), code: 1007, remote },
      { type: 'refused', status: 503, reason: 'full', remote },
      { type: 'lagging', remote },
      { type: 'compacted', document: 'd', bytes: 1, result: 'superseded' },
      { type: 'compactionFailed', document: 'd', error: new Error('x') },
      { type: 'loaded', document: 'd', milliseconds: 3, damaged: true },
      { type: 'loadFailed', document: 'd', error: new Error('x'), retryIn: 1 },
    )
    expect(text).toContain('scriptorium_rejected_total{error="MALFORMED_FRAME"} 1')
    expect(text).toContain('scriptorium_refused_total{status="503"} 1')
    expect(text).toContain('scriptorium_lagging_total 1')
    expect(text).toContain('scriptorium_compactions_total{result="superseded"} 1')
    expect(text).toContain('scriptorium_compactions_total{result="failed"} 1')
    expect(text).toContain('scriptorium_documents_loaded_total{result="damaged"} 1')
    expect(text).toContain('scriptorium_documents_loaded_total{result="failed"} 1')
  })

  test('storage that fails is 1 until it recovers', async () => {
    const failing = { type: 'storageFailing', error: new StorageError('STORAGE_UNAVAILABLE', 'disk full') } as const
    expect(await after(failing)).toContain('scriptorium_storage_failing 1')
    expect(await after(failing, { type: 'storageRecovered' })).toContain('scriptorium_storage_failing 0')
  })

  test('no document name and no address ever becomes a label', async () => {
    const text = await after(
      { type: 'connected', protocol: 'hocuspocus', remote: 'ADDRESS' },
      { type: 'refused', status: 400, reason: 'NAME', remote: 'ADDRESS' },
      { type: 'loaded', document: 'NAME', milliseconds: 1, damaged: false },
      { type: 'unloaded', document: 'NAME' },
      { type: 'committed', document: 'NAME', updates: 1, bytes: 1, milliseconds: 1, recipients: 1 },
      { type: 'poisoned', document: 'NAME', error: new Error('NAME') },
      { type: 'poisonMessage', document: 'NAME' },
      { type: 'badMessage', document: 'NAME', kind: 'NAME' },
    )
    expect(text).not.toMatch(/NAME|ADDRESS/)
    expect(text).toContain('scriptorium_bad_messages_total 2')
  })

  test('process metrics are added when asked for', async () => {
    expect(await createMetrics({ sources: nothing }).text()).not.toContain('process_')
    const text = await createMetrics({ sources: nothing, processMetrics: true }).text()
    expect(text).toContain('process_resident_memory_bytes')
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
  })
})
