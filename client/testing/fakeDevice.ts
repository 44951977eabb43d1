import '../askedTokens.ts' // which providers load on demand, in real time
import '../sharedSocket.ts' // this, too
import type { Environment } from '../environment.ts'
import type { FakeClock } from './fakeClock.ts'
import type { NetworkConditions } from './conditions.ts'
import { FakeNetwork } from './fakeNetwork.ts'
import type { Acceptor } from './fakeNetwork.ts'
import { FakePage } from './fakePage.ts'
import { FakeStores } from './fakeStores.ts'
import { FakeTabs } from './fakeTabs.ts'
import { Random } from './random.ts'

export interface FakeDeviceOptions {
  /** One for all devices, and to be moved on by the test. */
  readonly clock: FakeClock
  readonly server: Acceptor
  /** Decides everything that is left to chance on this device: its network, and when it reconnects. Default 1. */
  readonly seed?: number
  /** Of its network. Default: a perfect one. */
  readonly conditions?: Partial<NetworkConditions>
}

/**
 * A machine with a browser: a network of its own, and a page, a device store and tabs that do what the test says. Providers
 * on it run without real time; the same seed gives the same history.
 */
export class FakeDevice {
  readonly network: FakeNetwork
  readonly page = new FakePage()
  readonly tabs: FakeTabs
  readonly stores = new FakeStores()
  /** To be given to a provider as `environment`. Several providers with it are several tabs. */
  readonly environment: Environment

  constructor({ clock, server, seed = 1, conditions = {} }: FakeDeviceOptions) {
    this.network = new FakeNetwork({ clock, server, seed, conditions })
    this.tabs = new FakeTabs(clock)
    const random = new Random(seed ^ 0x5bd1e995) // not the network's choices again
    this.environment = {
      clock,
      random: () => random.next(),
      webSocket: () => this.network.WebSocket,
      page: this.page,
      tabs: this.tabs,
      openStore: this.stores.open,
    }
  }
}
