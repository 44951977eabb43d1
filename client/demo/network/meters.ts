import type { WebsocketProvider } from '../../index.ts'
import { element } from '../ui/element.ts'

interface Meter {
  readonly label: string
  readonly read: (provider: WebsocketProvider) => string
}

const METERS: readonly Meter[] = [
  { label: 'Round trip', read: ({ rtt }) => milliseconds(rtt) },
  { label: 'Saved after', read: ({ stats }) => milliseconds(stats.savedAfter) },
  { label: 'Reconnects', read: ({ stats }) => String(stats.reconnects) },
  { label: 'Received', read: ({ stats }) => bytes(stats.bytesIn) },
  { label: 'Sent', read: ({ stats }) => bytes(stats.bytesOut) },
  { label: 'Unsaved', read: ({ unsavedChanges }) => String(unsavedChanges) },
  { label: 'Frames in', read: ({ stats }) => stats.framesIn.toLocaleString() },
  { label: 'Frames out', read: ({ stats }) => stats.framesOut.toLocaleString() },
  { label: 'Saved means', read: ({ ackLevel }) => ({ durable: 'on disk', received: 'received', none: '–' })[ackLevel] },
]

/** What the connection has measured. */
export class Meters {
  readonly view = element('dl', { class: 'meters' })
  readonly #provider: WebsocketProvider
  readonly #values: { readonly meter: Meter; readonly value: HTMLElement }[] = []

  constructor(provider: WebsocketProvider) {
    this.#provider = provider
    for (const meter of METERS) {
      const value = element('dd')
      this.#values.push({ meter, value })
      this.view.append(element('div', {}, element('dt', {}, meter.label), value))
    }
  }

  show(): void {
    for (const { meter, value } of this.#values) {
      const text = meter.read(this.#provider)
      if (value.textContent !== text) value.textContent = text
    }
  }
}

function milliseconds(value: number | null): string {
  if (value === null) return '–'
  if (value >= 1_000) return `${(value / 1_000).toFixed(1)} s`
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
}

function bytes(value: number): string {
  if (value < 1_000) return `${value} B`
  return value < 1_000_000 ? `${(value / 1_000).toFixed(1)} kB` : `${(value / 1_000_000).toFixed(1)} MB`
}
