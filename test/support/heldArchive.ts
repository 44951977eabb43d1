import type { Archive } from '../../server/engine/archive/archive.ts'

/** An archive that stops before it does something, until it is told to go on. */
export class HeldArchive {
  readonly inner: Archive
  held: keyof Archive | null = null
  waiting = 0
  /** Calls that have succeeded. */
  readonly done: Partial<Record<keyof Archive, number>> = {}
  #goOn: (() => void)[] = []

  constructor(inner: Archive) {
    this.inner = inner
  }

  get archive(): Archive {
    return new Proxy(this.inner, {
      get: (target, name: keyof Archive) => {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return async (...args: unknown[]): Promise<unknown> => {
          if (name === this.held) await this.#wait()
          const result: unknown = await Reflect.apply(method as (...given: unknown[]) => unknown, target, args)
          this.done[name] = (this.done[name] ?? 0) + 1
          return result
        }
      },
    })
  }

  release(): void {
    this.held = null
    for (const goOn of this.#goOn.splice(0)) goOn()
  }

  async #wait(): Promise<void> {
    this.waiting += 1
    await new Promise<void>((resolve) => this.#goOn.push(resolve))
  }
}
