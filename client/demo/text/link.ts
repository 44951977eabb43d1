import { getAttributes, InputRule, Mark, markPasteRule, mergeAttributes } from '@tiptap/core'
import { Plugin, PluginKey } from '@tiptap/pm/state'

/** Where a link may lead. Others may write any address into a document; a script's must not be one that can be clicked. */
const ALLOWED = /^(?:https?:|mailto:|tel:)/i
const TYPED = /(?:^|\s)(https?:\/\/[^\s<>"]+)\s$/
const PASTED = /https?:\/\/[^\s<>"]+/g

declare module '@tiptap/core' {
  interface Commands<ReturnType> {
    link: {
      /** Makes a link of the selection; false when the address is not one a link may have. */
      setLink: (attributes: { readonly href: string }) => ReturnType
      unsetLink: () => ReturnType
    }
  }
}

/**
 * Links, with the attributes stock Tiptap gives them, so that documents of either may be opened by the other. Instead of
 * its extension because that brings a whole grammar of addresses along.
 */
export const Link = Mark.create({
  name: 'link',
  priority: 1000,
  keepOnSplit: false,
  exitable: true,
  inclusive: false,

  addAttributes: () => ({
    href: { default: null },
    target: { default: '_blank' },
    rel: { default: 'noopener noreferrer nofollow' },
    class: { default: null },
    title: { default: null },
  }),

  parseHTML: () => [
    { tag: 'a[href]', getAttrs: (node: HTMLElement) => ALLOWED.test(node.getAttribute('href') ?? '') && null },
  ],

  renderHTML({ HTMLAttributes }: { HTMLAttributes: Record<string, unknown> }) {
    const given = HTMLAttributes['href']
    const href = typeof given === 'string' && ALLOWED.test(given) ? given : null
    const safe = { target: '_blank', rel: 'noopener noreferrer nofollow', href }
    return ['a', mergeAttributes(HTMLAttributes, safe), 0]
  },

  markdownTokenName: 'link',
  parseMarkdown: ({ tokens = [], href, title }, helpers) =>
    helpers.applyMark('link', helpers.parseInline(tokens), {
      href: href as unknown,
      title: (title as unknown) ?? null,
    }),
  renderMarkdown: (node, helpers) => {
    const { href, title } = { href: '', title: '', ...node.attrs } as { href: string; title: string | null }
    const suffix = title === null || title === '' ? '' : ` "${title}"`
    return `[${helpers.renderChildren(node)}](${href}${suffix})`
  },

  addCommands() {
    return {
      setLink:
        (attributes) =>
        ({ chain }) =>
          ALLOWED.test(attributes.href) && chain().setMark(this.name, attributes).run(),
      unsetLink:
        () =>
        ({ chain }) =>
          chain().unsetMark(this.name, { extendEmptyMarkRange: true }).run(),
    }
  },

  /** An address becomes a link with the space behind it. */
  addInputRules() {
    const { type } = this
    return [
      new InputRule({
        find: TYPED,
        handler: ({ state, range, match }) => {
          const href = match[1] ?? ''
          const end = range.to
          state.tr.insertText(' ', end)
          state.tr.addMark(end - href.length, end, type.create({ href }))
          state.tr.removeStoredMark(type)
        },
      }),
    ]
  },

  addPasteRules() {
    return [markPasteRule({ find: PASTED, type: this.type, getAttributes: ([href]) => ({ href }) })]
  },

  /** With Ctrl or ⌘, as in other editors; without, a click places the caret. */
  addProseMirrorPlugins() {
    return [
      new Plugin({
        key: new PluginKey('followLink'),
        props: {
          handleClick: (view, _position, event) => {
            const { href } = getAttributes(view.state, this.type) as { href?: unknown }
            const isAsked = event.ctrlKey || event.metaKey || !view.editable
            if (!isAsked || typeof href !== 'string' || !ALLOWED.test(href)) return false
            open(href, '_blank', 'noopener,noreferrer')
            return true
          },
        },
      }),
    ]
  },
})
