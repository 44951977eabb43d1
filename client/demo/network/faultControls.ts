import type { Network } from '../net/network.ts'
import { element } from '../ui/element.ts'
import { tell } from '../ui/announce.ts'

/** Milliseconds: the largest round trip that can be asked for, and the step. */
const MAX_LATENCY = 2_000
const LATENCY_STEP = 50
/** Bytes per second; the last step is "as fast as it is". */
const RATES = [1_000, 4_000, 16_000, 64_000, 256_000, Infinity] as const

/** What makes the network worse than it is. */
export function faultControls(network: Network): HTMLElement[] {
  const offline = element('input', { type: 'checkbox', role: 'switch', id: 'offline' })
  offline.addEventListener('change', () => network.change({ isOffline: offline.checked }))
  const cut = element('button', { class: 'button', type: 'button' }, 'Cut the connection')
  cut.addEventListener('click', () => {
    network.cut()
    tell('The connection was cut. What is not saved yet is sent again.')
  })
  const show = (): void => {
    offline.checked = network.faults.isOffline
  }
  network.watch(show)
  show()
  return [element('label', { class: 'switch' }, 'Offline', offline), latency(network), rate(network), cut]
}

function latency(network: Network): HTMLElement {
  const range = { min: 0, max: MAX_LATENCY, step: LATENCY_STEP, value: network.faults.latency }
  const words = (value: number): string => (value === 0 ? 'none' : `${value} ms`)
  return slider('Added round trip', range, words, (value) => network.change({ latency: value }))
}

function rate(network: Network): HTMLElement {
  const current = RATES.findIndex((bytes) => bytes === network.faults.bytesPerSecond)
  const range = { min: 0, max: RATES.length - 1, step: 1, value: current }
  const at = (index: number): number => RATES[index] ?? Infinity
  const words = (index: number): string => (at(index) === Infinity ? 'no limit' : `${at(index) / 1_000} kB/s`)
  return slider('Speed limit', range, words, (index) => network.change({ bytesPerSecond: at(index) }))
}

interface SliderRange {
  readonly min: number
  readonly max: number
  readonly step: number
  readonly value: number
}

function slider(
  label: string,
  range: SliderRange,
  words: (value: number) => string,
  change: (value: number) => void,
): HTMLElement {
  const id = label.toLowerCase().replaceAll(' ', '-')
  const input = element('input', { id, type: 'range', ...range })
  const output = element('output', { for: id })
  const show = (): void => {
    const text = words(input.valueAsNumber)
    output.textContent = text
    input.setAttribute('aria-valuetext', text)
  }
  input.addEventListener('input', () => {
    change(input.valueAsNumber)
    show()
  })
  show()
  return element('div', { class: 'control' }, element('label', { for: id }, label, output), input)
}
