/** The sheet of shortcuts, which most people never see, is loaded when it is asked for. */
export async function openShortcuts(): Promise<void> {
  const { showShortcuts } = await import('./shortcuts.ts')
  showShortcuts()
}
