const STORAGE_KEY = 'scriptorium.theme'

export const THEMES = ['auto', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

/** Light, dark, or as the system has it. */
export function theme(): Theme {
  return THEMES.find((name) => name === readStorage()) ?? 'auto'
}

export function setTheme(name: Theme): void {
  try {
    localStorage.setItem(STORAGE_KEY, name)
  } catch {
    // Storage may be full or forbidden; the choice then lasts as long as the tab.
  }
  show(name)
}

/** Shows the choice of last time, and the one made in another tab. */
export function followTheme(): void {
  show(theme())
  addEventListener('storage', (event) => {
    if (event.key === STORAGE_KEY) show(theme())
  })
}

function show(name: Theme): void {
  document.documentElement.dataset['theme'] = name
}

function readStorage(): string | null {
  try {
    return localStorage.getItem(STORAGE_KEY)
  } catch {
    return null
  }
}
