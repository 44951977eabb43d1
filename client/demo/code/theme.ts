import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import type { Extension } from '@codemirror/state'
import { EditorView } from '@codemirror/view'
import { tags } from '@lezer/highlight'

/** The page's own colours, which follow light and dark by themselves. */
const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'var(--paper)', fontSize: 'var(--text-3)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6' },
  '.cm-content': { padding: 'var(--space-4) 0 40vh', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 var(--space-4)' },
  '.cm-gutters': {
    color: 'var(--faded)',
    backgroundColor: 'var(--paper)',
    border: 'none',
    paddingInlineStart: 'var(--space-2)',
  },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--sunken) 45%, transparent)' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--ink)', borderLeftWidth: '2px' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 22%, transparent)',
  },
  '.cm-selectionMatch': { backgroundColor: 'var(--warn-soft)' },
  '&.cm-focused .cm-matchingBracket': {
    color: 'inherit',
    backgroundColor: 'var(--sunken)',
    outline: '1px solid var(--edge)',
  },
  '.cm-foldPlaceholder': { color: 'var(--faded)', backgroundColor: 'var(--sunken)', border: 'none' },
  '.cm-tooltip': { color: 'var(--ink)', backgroundColor: 'var(--paper)', border: '1px solid var(--line)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { color: 'var(--ink)', backgroundColor: 'var(--accent-soft)' },
  '.cm-panels': { color: 'var(--ink)', backgroundColor: 'var(--desk)', borderColor: 'var(--line)' },
  '.cm-textfield': { border: '1px solid var(--edge)', backgroundColor: 'var(--paper)', font: 'inherit' },
  '.cm-button': {
    border: '1px solid var(--edge)',
    backgroundColor: 'var(--paper)',
    backgroundImage: 'none',
    font: 'inherit',
  },
  '.cm-searchMatch': { backgroundColor: 'var(--warn-soft)', outline: '1px solid var(--warn)' },
  '.cm-searchMatch-selected': { backgroundColor: 'var(--accent-soft)' },
  '.remark': { borderBottom: '2px solid var(--warn)', backgroundColor: 'var(--warn-soft)' },
  '.caret': { position: 'relative', marginInline: '-1px', borderInline: '1px solid var(--person)' },
  '.caret-label': {
    position: 'absolute',
    zIndex: '2',
    bottom: '100%',
    left: '-1px',
    padding: '0 0.375rem',
    borderRadius: '0.25rem 0.25rem 0.25rem 0',
    color: 'var(--person-ink)',
    backgroundColor: 'var(--person)',
    font: '600 0.6875rem/1.5 var(--sans)',
    whiteSpace: 'nowrap',
    opacity: '0',
    pointerEvents: 'none',
    transition: 'opacity 0.3s',
  },
  '.caret[data-moving] .caret-label': { opacity: '1' },
  '.caret-label[data-side=left]': { right: '-1px', left: 'auto', borderRadius: '0.25rem 0.25rem 0' },
  // Above the first line there is no room for a name.
  '.cm-line:first-of-type .caret-label': { top: '100%', bottom: 'auto', borderRadius: '0 0.25rem 0.25rem' },
})

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--accent)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--warn)' },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.typeName, tags.className],
    color: 'var(--link)',
  },
  { tag: [tags.comment, tags.meta], color: 'var(--faded)', fontStyle: 'italic' },
  { tag: tags.heading, color: 'var(--accent)', fontWeight: '600' },
  { tag: [tags.link, tags.url], color: 'var(--link)', textDecoration: 'underline' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: tags.strong, fontWeight: '600' },
  { tag: tags.invalid, color: 'var(--accent)', textDecoration: 'underline wavy' },
])

export const theme: Extension = [look, syntaxHighlighting(colours)]
