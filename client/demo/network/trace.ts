const SVG = 'http://www.w3.org/2000/svg'
const SECONDS = 60
const HEIGHT = 40
const MIDDLE = HEIGHT / 2
/** Bytes a second at which a bar is full; each further factor of ten adds as much as the one before. */
const LOG_OF_FULL = 5

/** Bytes per second of the last minute: received above the line, sent below. */
export class Trace {
  readonly view = document.createElementNS(SVG, 'svg')
  readonly #bars: { readonly received: SVGRectElement; readonly sent: SVGRectElement }[] = []
  readonly #history: { readonly received: number; readonly sent: number }[] = []

  constructor() {
    this.view.setAttribute('viewBox', `0 0 ${SECONDS} ${HEIGHT}`)
    this.view.setAttribute('preserveAspectRatio', 'none')
    this.view.setAttribute('class', 'trace')
    this.view.setAttribute('role', 'img')
    this.view.setAttribute('aria-label', 'Bytes per second of the last minute')
    for (let second = 0; second < SECONDS; second += 1) {
      this.#bars.push({ received: bar(second, 'in'), sent: bar(second, 'out') })
    }
    this.view.append(...this.#bars.flatMap(({ received, sent }) => [received, sent]), middle())
  }

  add(received: number, sent: number): void {
    this.#history.push({ received, sent })
    if (this.#history.length > SECONDS) this.#history.shift()
    const first = SECONDS - this.#history.length
    for (const [index, second] of this.#history.entries()) {
      const bars = this.#bars[first + index]
      if (bars === undefined) continue
      const [up, down] = [length(second.received), length(second.sent)]
      bars.received.setAttribute('y', String(MIDDLE - up))
      bars.received.setAttribute('height', String(up))
      bars.sent.setAttribute('height', String(down))
    }
  }
}

/** Logarithmic: one key and a whole document are both to be seen. */
function length(bytes: number): number {
  return bytes === 0 ? 0 : Math.min(1, Math.log10(bytes + 1) / LOG_OF_FULL) * (MIDDLE - 1)
}

function bar(second: number, kind: 'in' | 'out'): SVGRectElement {
  const created = document.createElementNS(SVG, 'rect')
  created.setAttribute('class', kind)
  created.setAttribute('x', String(second + 0.1))
  created.setAttribute('y', String(MIDDLE))
  created.setAttribute('width', '0.8')
  created.setAttribute('height', '0')
  return created
}

function middle(): SVGLineElement {
  const created = document.createElementNS(SVG, 'line')
  created.setAttribute('x2', String(SECONDS))
  created.setAttribute('y1', String(MIDDLE))
  created.setAttribute('y2', String(MIDDLE))
  created.setAttribute('stroke-width', '0.5')
  return created
}
