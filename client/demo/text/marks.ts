import { Bold as BaseBold } from '@tiptap/extension-bold'
import { Italic as BaseItalic } from '@tiptap/extension-italic'
import { Strike as BaseStrike } from '@tiptap/extension-strike'
import { Underline as BaseUnderline } from '@tiptap/extension-underline'

// As in stock Tiptap, but read from HTML without looking at styles, of which `pastedStyles.ts` has left attributes.

export const Bold = BaseBold.extend({
  parseHTML: () => [
    { tag: 'strong' },
    { tag: 'b', getAttrs: (node: HTMLElement) => node.dataset['weight'] !== 'normal' && null },
    { tag: '[data-weight="bold"]', consuming: false },
  ],
})

export const Italic = BaseItalic.extend({
  parseHTML: () => [{ tag: 'em' }, { tag: 'i' }, { tag: '[data-slant="italic"]', consuming: false }],
})

export const Strike = BaseStrike.extend({
  parseHTML: () => [
    { tag: 's' },
    { tag: 'del' },
    { tag: 'strike' },
    { tag: '[data-line="through"]', consuming: false },
  ],
})

export const Underline = BaseUnderline.extend({
  parseHTML: () => [{ tag: 'u' }, { tag: '[data-line="under"]', consuming: false }],
})
