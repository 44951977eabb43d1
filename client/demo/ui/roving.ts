/** The place of the item that a key leads to; null when the key is not one that moves. */
function target(key: string, current: number, count: number): number | null {
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return (current + 1) % count
    case 'ArrowLeft':
    case 'ArrowUp':
      return (current - 1 + count) % count
    case 'Home':
      return 0
    case 'End':
      return count - 1
    default:
      return null
  }
}

/**
 * Makes the controls inside one tab stop with arrow keys between them. Controls that are hidden or disabled are passed over;
 * which there are is looked at anew each time.
 */
export function rove(container: HTMLElement): void {
  const items = (): HTMLElement[] =>
    [...container.querySelectorAll<HTMLElement>('button, select')].filter((item) => item.checkVisibility())
  const settle = (current: HTMLElement | undefined): void => {
    for (const item of items()) item.tabIndex = item === current ? 0 : -1
  }
  container.addEventListener('focusin', (event) => settle(event.target as HTMLElement))
  container.addEventListener('keydown', (event) => {
    const isChoosing =
      event.target instanceof HTMLSelectElement && event.key.startsWith('Arrow') && !isSideways(event.key)
    const all = items().filter((item) => !item.matches(':disabled'))
    const next = isChoosing ? null : target(event.key, all.indexOf(event.target as HTMLElement), all.length)
    if (next === null) return
    event.preventDefault()
    all[next]?.focus()
  })
  settle(items()[0])
}

function isSideways(key: string): boolean {
  return key === 'ArrowLeft' || key === 'ArrowRight'
}
