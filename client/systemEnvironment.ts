import * as broadcastChannel from 'lib0/broadcastchannel'
import type { Environment, Page, PageEvent, SocketClass, StoreOpener, Tabs } from './environment.ts'

/** What there is of it: browsers, workers and Node each have a part. */
const here: Partial<typeof globalThis> = globalThis

const PAGE_EVENTS = ['online', 'offline', 'pagehide', 'pageshow', 'visibilitychange']

/** What the browser's event means; null: nothing. */
function meaningOf(event: Event): PageEvent | null {
  const { type } = event
  if (type === 'visibilitychange') return document.visibilityState
  if (type === 'pageshow') return (event as PageTransitionEvent).persisted ? 'returned' : null
  return type as 'online' | 'offline' | 'pagehide'
}

/** @returns the opposite. In Node, which has no page, neither does anything. */
function listen(names: readonly string[], listener: (event: Event) => void): () => void {
  for (const name of names) here.addEventListener?.(name, listener)
  return () => {
    for (const name of names) here.removeEventListener?.(name, listener)
  }
}

/** The page, as far as there is one: workers have `online` only. */
const page: Page = {
  get isHidden() {
    return here.document?.hidden === true
  },
  watch: (listener) =>
    listen(PAGE_EVENTS, (event) => {
      const meaning = meaningOf(event)
      if (meaning) listener(meaning)
    }),
  preventClose: () => listen(['beforeunload'], (event) => event.preventDefault()),
}

/** lib0's channel, which y-websocket uses as well: tabs with either provider understand each other. */
const tabs: Tabs = {
  subscribe(channel, origin, listener) {
    const receive = (data: unknown, from: unknown): void => {
      if (from !== origin) listener(new Uint8Array(data as ArrayBuffer)) // of a view, too: other providers publish either
    }
    broadcastChannel.subscribe(channel, receive)
    return () => void broadcastChannel.unsubscribe(channel, receive)
  },
  publish(channel, origin, data) {
    broadcastChannel.publish(channel, data, origin)
  },
}

/** Loaded when it is needed: most applications keep nothing on the device. */
const openIndexedDb: StoreOpener = async (...document) => {
  const { openIndexedDbStore } = await import('./indexedDbStore.ts')
  return openIndexedDbStore(...document)
}

async function importWs(): Promise<SocketClass> {
  // Not a literal: bundlers for browsers, where there always is a WebSocket, must not look for the package.
  const name = 'ws'
  const module = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as { WebSocket: SocketClass }
  return module.WebSocket
}

/** Real time, real sockets, the real page. */
export const systemEnvironment: Environment = {
  clock: {
    now: () => performance.now(),
    endOfTurn: (task) => queueMicrotask(task),
    after: (milliseconds, task) => {
      const timer = setTimeout(task, milliseconds)
      return () => clearTimeout(timer)
    },
  },
  random: Math.random,
  webSocket: () => here.WebSocket ?? importWs(),
  page,
  tabs,
  get openStore() {
    return here.indexedDB ? openIndexedDb : null
  },
}
