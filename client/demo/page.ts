import type { Editor } from '@tiptap/core'
import { Comments } from './comments/comments.ts'
import type { CommentsPanel } from './comments/commentsPanel.ts'
import { chooseFile } from './files/chooseFile.ts'
import { wireKeys } from './keyboard.ts'
import { keepPage } from './keepPage.ts'
import { wireMenu } from './menu.ts'
import { ModeSwitch } from './modeSwitch.ts'
import { windowRole } from './net/address.ts'
import { showNoAccess } from './noAccess.ts'
import { Panels } from './panels.ts'
import { nameMovingCarets } from './people/caret.ts'
import { Follower } from './people/follower.ts'
import { tellWhenIdle } from './people/idle.ts'
import { Me } from './people/me.ts'
import { People } from './people/people.ts'
import { whenReady } from './ready.ts'
import { openRoom } from './room.ts'
import type { Room } from './room.ts'
import { wireShare } from './share.ts'
import { markOffline } from './status/offlineMark.ts'
import { StatusLine } from './status/statusLine.ts'
import type { Anchor } from './surface.ts'
import { showRefusal } from './text/refusal.ts'
import type { TextEditor } from './text/textEditor.ts'
import { fillTextToolbar } from './text/toolbar.ts'
import { followTitle, titleOf } from './title.ts'
import { tell } from './ui/announce.ts'
import { byId } from './ui/element.ts'

const COMMENTS = 'Comments'
const NETWORK = 'Network'

/** One person with one document: opens it, and joins the parts of the page. */
export async function openPage(): Promise<void> {
  const room = openRoom()
  const ready = whenReady(room)
  keepPage(room)
  new StatusLine(room, byId('status')).start()
  markOffline(room, byId('kept'))
  const me = new Me(room.awareness, byId('people'), windowRole() === 'second' ? '.second' : '')
  nameMovingCarets(room.awareness, document)
  tellWhenIdle(room.awareness)
  wireShare(byId('share'))
  // Fetched, read and made while the document is on its way, which takes about as long.
  const { TextEditor } = await import('./text/textEditor.ts')
  const text = new TextEditor(room, byId('text'))
  await ready
  text.start(showRefusal)
  const modes = new ModeSwitch(room, text)
  followScope(room, modes)
  const entered = enter(modes)
  // From here on one can write; what follows goes on around it.
  new People(room.awareness, new Follower(room.awareness, modes), byId('people')).start()
  const panels = wirePanels(room, modes, me)
  if (text.isShown) wireText(room, text)
  else wireMenu(byId('menu'), null)
  wireKeys({ modes, panels, comment: () => void comment(panels), network: () => panels.toggle(NETWORK) })
  await entered
}

/** Shows the page the address asks for, with the caret in it: in the text at once, in the code when it is loaded. */
async function enter(modes: ModeSwitch): Promise<void> {
  const shown = modes.start()
  const focus = (): void => void (windowRole() === 'second' || modes.surface?.focus())
  if (modes.mode === 'text') focus()
  await shown
  if (modes.mode === 'code') focus()
}

function wireText(room: Room, text: TextEditor): void {
  const { editor } = text
  fillTextToolbar(byId('toolbar'), editor)
  followTitle(editor, byId('title'))
  wireMenu(byId('menu'), {
    exportAs: async (format) => {
      const { exportAs } = await import('./files/exports.ts')
      await exportAs(format, { editor, room, title: titleOf(editor) })
    },
    importFile: () => chooseFile('.md,.markdown,.txt,.ydoc,text/markdown', (file) => void take(file, editor, room)),
  })
}

async function take(file: File, editor: Editor, room: Room): Promise<void> {
  const { importFile, ImportError } = await import('./files/imports.ts')
  try {
    await importFile(file, editor, room)
    tell(`“${file.name}” was imported.`)
  } catch (error) {
    if (!(error instanceof ImportError)) throw error
    tell(error.message)
  }
}

function wirePanels(room: Room, modes: ModeSwitch, me: Me): Panels {
  const comments = new Comments(room.doc)
  const goTo = (anchor: Anchor): void => void modes.goTo(anchor)
  const host = { comments, author: () => me.person, passage: () => modes.surface?.passage() ?? null, goTo }
  const panels = new Panels(byId('panels'), [
    {
      name: COMMENTS,
      icon: 'comment',
      keys: 'Mod Alt K',
      make: async (body) => {
        const { CommentsPanel } = await import('./comments/commentsPanel.ts')
        return new CommentsPanel(host, body)
      },
    },
    {
      name: NETWORK,
      icon: 'network',
      keys: 'Mod Alt N',
      make: async (body) => {
        const { NetworkPanel } = await import('./network/networkPanel.ts')
        return new NetworkPanel(room, body)
      },
    },
  ])
  const show = (): void => {
    const open = comments.threads.filter(({ isResolved }) => !isResolved)
    panels.badge(COMMENTS, open.length)
    modes.mark(open.flatMap(({ anchor }) => anchor ?? []))
  }
  comments.watch(show)
  show()
  return panels
}

async function comment(panels: Panels): Promise<void> {
  const content = await panels.open(COMMENTS)
  ;(content as CommentsPanel).compose()
}

/** Who may not write, or not even read, is not offered to. */
function followScope({ provider }: Room, modes: ModeSwitch): void {
  const show = (): void => {
    const { linkStatus: link, scope } = provider
    modes.setEditable(scope === 'read-write' && link.name !== 'denied')
    if (link.name === 'denied') showNoAccess(link.reason)
  }
  provider.on('scope', show)
  provider.on('link', show)
  show()
}
