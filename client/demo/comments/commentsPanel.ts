import type { PanelContent } from '../panels.ts'
import type { Person } from '../people/person.ts'
import type { Anchor, Passage } from '../surface.ts'
import { element, query } from '../ui/element.ts'
import { MAX_LENGTH } from './comment.ts'
import type { Thread } from './comment.ts'
import type { Comments } from './comments.ts'
import { remarkView } from './remarkView.ts'

/** What the panel needs of the page. */
export interface CommentsHost {
  readonly comments: Comments
  /** Who writes here. */
  readonly author: () => Person
  /** What is selected in the editor right now. */
  readonly passage: () => Passage | null
  readonly goTo: (anchor: Anchor) => void
}

/** Comments, oldest first, with a place to write one. */
export class CommentsPanel implements PanelContent {
  readonly #host: CommentsHost
  readonly #body: HTMLElement
  readonly #threads = element('ol', { 'aria-label': 'Comments' })
  readonly #about = element('p', { class: 'hint' })
  #passage: Passage | null = null
  /** Answers begun, by thread, so that what others write does not take them away. */
  readonly #drafts = new Map<string, string>()

  constructor(host: CommentsHost, body: HTMLElement) {
    this.#host = host
    this.#body = body
    body.replaceChildren(this.#composer(), this.#threads)
    host.comments.watch(() => this.#show())
    this.#show()
  }

  /** Who opens the panel with words selected wants to comment on them. */
  onOpen(): void {
    if (this.#host.passage() === null) this.#aim()
    else this.compose()
  }

  /** Begins a comment on what is selected. */
  compose(): void {
    this.#aim()
    query(this.#body, '.composer textarea', HTMLTextAreaElement).focus()
  }

  #aim(): void {
    this.#passage = this.#host.passage() ?? this.#passage
    this.#about.textContent =
      this.#passage === null
        ? 'On the whole document. Select words first to comment on them.'
        : `On “${this.#passage.text}”`
  }

  #composer(): HTMLElement {
    const words = element('textarea', { id: 'comment', class: 'field', rows: 3, maxlength: MAX_LENGTH })
    const send = (): void => {
      const text = words.value.trim()
      if (text === '') return
      this.#host.comments.add(this.#host.author(), text, this.#passage)
      words.value = ''
      this.#passage = null
      this.#aim()
    }
    words.addEventListener('focus', () => this.#aim())
    sendOnEnter(words, send)
    this.#aim()
    const label = element('label', { class: 'unseen', for: 'comment' }, 'New comment')
    words.placeholder = 'Write a comment…'
    const button = element('button', { class: 'button primary', type: 'button', onclick: send }, 'Comment')
    return element('div', { class: 'composer' }, this.#about, label, words, element('div', { class: 'row' }, button))
  }

  #show(): void {
    const { threads } = this.#host.comments
    const open = threads.filter(({ isResolved }) => !isResolved)
    const done = threads.filter(({ isResolved }) => isResolved)
    const focused = document.activeElement?.id
    this.#threads.replaceChildren(...[...open, ...done].map((thread) => this.#thread(thread)))
    if (threads.length === 0) this.#threads.append(element('li', { class: 'hint' }, 'No comments yet.'))
    if (focused?.startsWith('reply-')) document.getElementById(focused)?.focus()
  }

  #thread(thread: Thread): HTMLElement {
    const { anchor, quote } = thread
    const go = (): void => {
      if (anchor !== null) this.#host.goTo(anchor)
    }
    const about = quote === null ? null : element('button', { class: 'quote', type: 'button', onclick: go }, quote)
    const replies = thread.replies.map((reply) => remarkView(reply))
    return element(
      'li',
      { class: 'thread', 'data-resolved': thread.isResolved },
      about,
      remarkView(thread),
      ...replies,
      thread.isResolved ? null : this.#replyField(thread),
      this.#buttons(thread),
    )
  }

  #replyField({ id, author }: Thread): HTMLElement {
    const label = `Reply to ${author.name}`
    const words = element('input', { id: `reply-${id}`, class: 'field', maxlength: MAX_LENGTH, 'aria-label': label })
    words.placeholder = 'Reply…'
    words.value = this.#drafts.get(id) ?? ''
    words.addEventListener('input', () => this.#drafts.set(id, words.value))
    sendOnEnter(words, () => {
      const text = words.value.trim()
      this.#drafts.delete(id)
      if (text !== '') this.#host.comments.reply(id, this.#host.author(), text)
    })
    return words
  }

  #buttons({ id, isResolved }: Thread): HTMLElement {
    const { comments } = this.#host
    const button = (words: string, act: () => void): HTMLElement =>
      element('button', { class: 'button quiet', type: 'button', onclick: act }, words)
    return element(
      'div',
      { class: 'row' },
      button(isResolved ? 'Open again' : 'Resolve', () => comments.resolve(id, !isResolved)),
      button('Delete', () => comments.remove(id)),
    )
  }
}

/** Shift keeps its meaning: a new line. */
function sendOnEnter(field: HTMLElement, send: () => void): void {
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    send()
  })
}
