import type { Environment, Page, PageEvent, SocketClass } from '../../index.ts'
import { systemEnvironment } from '../../index.ts'
import type { Faults } from './faults.ts'
import { NO_FAULTS } from './faults.ts'
import { FaultySocket } from './faultySocket.ts'
import type { SocketNetwork } from './faultySocket.ts'

/** The network between this page and the server, which can be made worse than it is. */
export class Network implements SocketNetwork {
  readonly sockets = new Set<FaultySocket>()
  readonly #pages = new Set<(event: PageEvent) => void>()
  readonly #listeners = new Set<() => void>()
  #faults = NO_FAULTS

  get faults(): Faults {
    return this.#faults
  }

  /** No connection is possible, by the panel's choice or because the browser says so. */
  get isOffline(): boolean {
    return this.#faults.isOffline || !navigator.onLine
  }

  change(change: Partial<Faults>): void {
    const before = this.#faults
    this.#faults = { ...before, ...change }
    if (this.#faults.isOffline && !before.isOffline) {
      this.#tell('offline')
      this.cut()
    }
    if (!this.#faults.isOffline && before.isOffline) this.#tell('online')
    for (const listener of this.#listeners) listener()
  }

  /** Ends every connection, as when a cable is pulled and put back. */
  cut(): void {
    for (const socket of this.sockets) socket.cut()
  }

  /** The returned function ends it. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** What a provider needs in order to live behind this network. */
  environment(): Environment {
    return { ...systemEnvironment, webSocket: () => socketClass(this), page: this.#page() }
  }

  #page(): Page {
    const { page } = systemEnvironment
    return {
      get isHidden() {
        return page.isHidden
      },
      watch: (listener) => {
        this.#pages.add(listener)
        const unwatch = page.watch(listener)
        return () => {
          this.#pages.delete(listener)
          unwatch()
        }
      },
      preventClose: () => page.preventClose(),
    }
  }

  #tell(event: PageEvent): void {
    for (const listener of this.#pages) listener(event)
  }
}

function socketClass(network: SocketNetwork): SocketClass {
  return class extends FaultySocket {
    constructor(url: string, protocols?: string | string[]) {
      super(network, url, protocols)
    }
  }
}
