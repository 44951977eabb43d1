const SVG = 'http://www.w3.org/2000/svg'

/** Lines on a grid of 24, drawn with a round pen. */
const PATHS = {
  undo: 'M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3',
  redo: 'm15 14 5-5-5-5M20 9H10a6 6 0 0 0 0 12h3',
  bold: 'M7 4h6.5a4 4 0 0 1 0 8H7zM7 12h7.5a4 4 0 0 1 0 8H7z',
  italic: 'M10 4h8M6 20h8M14 4l-4 16',
  underline: 'M7 4v7a5 5 0 0 0 10 0V4M5 20.5h14',
  strike:
    'M4 12h16M16.5 7.5C16 5.5 14.3 4 12 4 9.5 4 7.5 5.5 7.5 8M7.5 16c.3 2.4 2.2 4 4.5 4 2.6 0 4.5-1.6 4.5-4 0-.7-.1-1.3-.4-1.8',
  inlineCode: 'm8 8-4 4 4 4M16 8l4 4-4 4',
  codeBlock: 'M4 5h16v14H4zM9.5 10 7.5 12l2 2M14.5 10l2 2-2 2',
  link: 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1',
  bulletList: 'M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01',
  orderedList: 'M10 6h10M10 12h10M10 18h10M4 4.5l1.2-.5v4M3.8 14c0-1.2 2.4-1.2 2.4.2 0 1-2.4 2-2.4 2.8h2.5',
  taskList: 'm3.5 6 1.5 1.5L7.5 5M3.5 16.5 5 18l2.5-2.5M11 6.5h9M11 17h9',
  quote: 'M10 7H5.5v6H9c0 2.5-1.2 3.7-3 4M19 7h-4.5v6H18c0 2.5-1.2 3.7-3 4',
  rule: 'M4 12h16',
  image: 'M4 5h16v14H4zM4 16l4.5-4.5 4 4L15 13l5 4.5M15.5 9h.01',
  table: 'M4 5h16v14H4zM4 10h16M4 14.5h16M12 5v14',
  rowAdd: 'M4 4h16v6H4zM12 14v6M9 17h6',
  rowDelete: 'M4 4h16v6H4zM9 17h6',
  columnAdd: 'M4 4h6v16H4zM14 12h6M17 9v6',
  columnDelete: 'M4 4h6v16H4zM14 12h6',
  remove: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  comment: 'M4 5h16v11h-9l-4.5 4v-4H4z',
  network: 'M3 12h4l3 8 4-16 3 8h4',
  share: 'M12 15V4M8 7.5 12 4l4 3.5M5 12v8h14v-8',
  menu: 'M5 11.5v1M12 11.5v1M19 11.5v1M4.5 12h1M11.5 12h1M18.5 12h1',
  close: 'm6 6 12 12M18 6 6 18',
  page: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6',
  split: 'M3 5h18v14H3zM12 5v14',
  download: 'M12 4v11M8 11.5l4 3.5 4-3.5M5 20h14',
  upload: 'M12 15V4M8 7.5 12 4l4 3.5M5 20h14',
  print: 'M7 8V4h10v4M7 16H4V8h16v8h-3M7 13h10v7H7z',
  light:
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5V4M12 20v1.5M4 12H2.5M21.5 12H20M5.6 5.6 6.7 6.7M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1',
  keyboard: 'M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8',
  kept: 'M12 4v9M8.5 10l3.5 3 3.5-3M4.5 17.5h15v3h-15z',
  wrap: 'M4 6h16M4 12h13a3 3 0 0 1 0 6h-4M15 15.5 12.5 18l2.5 2.5M4 18h4',
} as const

export type IconName = keyof typeof PATHS

/** Decoration only: what it stands on says in words what it does. */
export function icon(name: IconName): SVGSVGElement {
  const drawing = document.createElementNS(SVG, 'svg')
  drawing.setAttribute('viewBox', '0 0 24 24')
  drawing.setAttribute('aria-hidden', 'true')
  drawing.classList.add('icon')
  const path = document.createElementNS(SVG, 'path')
  path.setAttribute('d', PATHS[name])
  drawing.append(path)
  return drawing
}
