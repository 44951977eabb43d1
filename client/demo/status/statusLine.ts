import { announce } from '../ui/announce.ts'
import { query } from '../ui/element.ts'
import type { Room } from '../room.ts'
import { describe } from './words.ts'
import type { Words } from './words.ts'

/** Milliseconds without an unsaved change before the line says "Saved". */
const SETTLE_MS = 300
/** How often the countdown is looked at; what it says changes once a second. */
const COUNT_MS = 250

/** The line that says in words whether what was written here is on the server's disk. */
export class StatusLine {
  readonly #room: Room
  readonly #line: HTMLElement
  readonly #words: HTMLElement
  readonly #countdown: HTMLElement
  readonly #retry: HTMLButtonElement
  #isKept: boolean
  #settling: ReturnType<typeof setTimeout> | null = null
  #counting: ReturnType<typeof setInterval> | null = null
  #shown: Words = { state: 'connecting', text: '', retryAt: null }

  constructor(room: Room, line: HTMLElement) {
    this.#room = room
    this.#line = line
    this.#words = query(line, '.words', HTMLElement)
    this.#countdown = query(line, '.countdown', HTMLElement)
    this.#retry = query(line, 'button', HTMLButtonElement)
    this.#isKept = room.isKept
  }

  start(): void {
    const { provider, network } = this.#room
    this.#retry.addEventListener('click', () => provider.connect())
    const show = (): void => this.#show()
    provider.on('link', show)
    provider.on('synced', show)
    provider.on('scope', show)
    provider.on('unsaved-changes', (count) => this.#onUnsaved(count))
    provider.on('error', ({ code }) => {
      if (code === 'DEVICE_STORE_FAILED') this.#isKept = false
      this.#show()
    })
    network.watch(show)
    addEventListener('online', show)
    addEventListener('offline', show)
    show()
  }

  #onUnsaved(count: number): void {
    if (this.#settling !== null) clearTimeout(this.#settling)
    this.#settling = setTimeout(() => {
      this.#settling = null
      this.#show()
    }, SETTLE_MS)
    if (count > 0 || this.#shown.state !== 'saving') this.#show()
  }

  #show(): void {
    const { provider, network } = this.#room
    const words = describe({
      link: provider.linkStatus,
      isSynced: provider.synced,
      scope: provider.scope,
      ackLevel: provider.ackLevel,
      unsaved: provider.unsavedChanges,
      isSettled: this.#settling === null,
      isOffline: network.isOffline,
      isKept: this.#isKept,
    })
    if (words.state !== this.#shown.state) this.#say(words)
    this.#shown = words
    this.#line.dataset['state'] = words.state
    if (this.#words.textContent !== words.text) this.#words.textContent = words.text
    this.#retry.hidden = words.retryAt === null
    this.#count()
  }

  /** Not every key that is saved, but what changes what the writer should do. */
  #say(words: Words): void {
    const wasAway = this.#shown.state === 'offline'
    if (words.state === 'offline' || words.state === 'denied' || words.state === 'read-only') announce(words.text)
    else if (wasAway && words.state !== 'connecting') announce('Connected again')
  }

  #count(): void {
    const { retryAt, text } = this.#shown
    if (retryAt === null) {
      if (this.#counting !== null) clearInterval(this.#counting)
      this.#counting = null
      this.#countdown.hidden = true
      return
    }
    const seconds = Math.max(1, Math.ceil((retryAt - performance.now()) / 1000))
    this.#countdown.hidden = false
    this.#countdown.textContent = `${text === 'Reconnecting' ? '' : 'reconnecting '}in ${seconds} s`
    this.#counting ??= setInterval(() => this.#count(), COUNT_MS)
  }
}
