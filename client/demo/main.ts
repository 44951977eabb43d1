import { documentName, windowRole } from './net/address.ts'
import { openPage } from './page.ts'
import { followTheme } from './ui/theme.ts'

followTheme()
documentName() // from here on the address has one
addEventListener('hashchange', () => location.reload())
if (windowRole() === 'split') void import('./split.ts').then(({ openSplit }) => openSplit())
else void openPage()
