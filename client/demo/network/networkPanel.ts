import type { PanelContent } from '../panels.ts'
import type { Room } from '../room.ts'
import { element } from '../ui/element.ts'
import { faultControls } from './faultControls.ts'
import { FrameLog } from './frameLog.ts'
import { Meters } from './meters.ts'
import { Trace } from './trace.ts'

const METERS_EVERY_MS = 250
const TRACE_EVERY_MS = 1_000

/** Makes the network bad, and shows what comes of it. */
export class NetworkPanel implements PanelContent {
  readonly #room: Room
  readonly #meters: Meters
  readonly #trace = new Trace()
  readonly #log: FrameLog
  #timers: ReturnType<typeof setInterval>[] = []
  #traced = { received: 0, sent: 0 }

  constructor(room: Room, body: HTMLElement) {
    this.#room = room
    this.#meters = new Meters(room.provider)
    this.#log = new FrameLog(room.provider)
    const hint = 'Only for this page: the server and everybody else keep the network they have.'
    body.replaceChildren(
      element('p', { class: 'hint' }, hint),
      element('div', {}, ...faultControls(room.network)),
      this.#meters.view,
      element('div', {}, this.#trace.view, legend()),
      this.#log.view,
    )
  }

  onOpen(): void {
    if (this.#timers.length > 0) return
    this.#log.start()
    this.#meters.show()
    this.#traced = this.#traffic()
    this.#timers = [
      setInterval(() => this.#meters.show(), METERS_EVERY_MS),
      setInterval(() => this.#draw(), TRACE_EVERY_MS),
    ]
  }

  onClose(): void {
    this.#log.stop()
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
  }

  #draw(): void {
    const now = this.#traffic()
    this.#trace.add(now.received - this.#traced.received, now.sent - this.#traced.sent)
    this.#traced = now
  }

  #traffic(): { received: number; sent: number } {
    const { bytesIn, bytesOut } = this.#room.provider.stats
    return { received: bytesIn, sent: bytesOut }
  }
}

function legend(): HTMLElement {
  return element(
    'p',
    { class: 'legend' },
    element('span', { class: 'in' }, '▲ received'),
    element('span', { class: 'out' }, '▼ sent'),
    'bytes per second, last minute',
  )
}
