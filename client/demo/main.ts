import { documentName, windowRole } from './net/address.ts'
import { openPage } from './page.ts'
import { tell } from './ui/announce.ts'
import { followTheme } from './ui/theme.ts'

followTheme()
documentName() // from here on the address has one
addEventListener('hashchange', () => location.reload())
const opened = windowRole() === 'split' ? import('./split.ts').then(({ openSplit }) => openSplit()) : openPage()
opened.catch(failed)

/** A part of the page did not come, as after an update of the server, or with the connection. */
function failed(error: unknown): void {
  tell('A part of this page could not be loaded. Please reload it.')
  reportError(error)
}
