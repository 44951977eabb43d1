import { constants, PerformanceObserver } from 'node:perf_hooks'

let count = 0

const observer = new PerformanceObserver((list) => {
  // Missing in its types.
  const entries = list.getEntries() as unknown as readonly { readonly detail: { readonly kind: number } }[]
  count += entries.filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length
})
observer.observe({ entryTypes: ['gc'] })

/** How often this process's heap has been collected as a whole. */
export function wholeCollections(): number {
  return count
}
