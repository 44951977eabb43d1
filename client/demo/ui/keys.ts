const isApple = /Mac|iPhone|iPad/.test(navigator.platform)

const SIGNS: Readonly<Record<string, string>> = isApple ? { Mod: '⌘', Shift: '⇧', Alt: '⌥' } : { Mod: 'Ctrl' }

/** `Mod Shift Z` as the keys of this machine. */
export function keyNames(keys: string): string[] {
  return keys.split(' ').map((key) => SIGNS[key] ?? key)
}

/** The same for a tooltip. */
export function keyText(keys: string): string {
  return keyNames(keys).join(isApple ? '' : '+')
}
