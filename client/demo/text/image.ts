import { mergeAttributes } from '@tiptap/core'
import { Image as BaseImage } from '@tiptap/extension-image'

/** Kinds of picture this page shows: none of them can hold a script. */
const SHOWN = /^data:image\/(?:png|jpeg|gif|webp|avif);base64,/

/**
 * Pictures live in the document as data addresses. One from elsewhere, which an import may bring, is named and not loaded:
 * a page that loads it would tell a stranger who reads this document.
 */
export const Image = BaseImage.extend({
  renderHTML({ HTMLAttributes }: { HTMLAttributes: Record<string, unknown> }) {
    const { src, alt } = HTMLAttributes
    if (typeof src === 'string' && SHOWN.test(src)) return ['img', mergeAttributes(HTMLAttributes)]
    const words = typeof alt === 'string' && alt !== '' ? alt : 'without a description'
    const address = typeof src === 'string' ? src : ''
    return [
      'span',
      { class: 'absent', 'data-src': address, 'data-alt': alt ?? '' },
      `Picture not loaded: ${words} (${address.slice(0, 80)})`,
    ]
  },

  parseHTML() {
    return [
      { tag: 'img[src]' },
      {
        tag: 'span.absent[data-src]',
        getAttrs: (node: HTMLElement) => ({ src: node.dataset['src'] ?? null, alt: node.dataset['alt'] ?? null }),
      },
    ]
  },
}).configure({ allowBase64: true })
