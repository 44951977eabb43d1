import * as Y from 'yjs'

/** A real update, and a state a document may be in when it arrives. */
export interface Sample {
  readonly name: string
  readonly update: Uint8Array
  readonly base: Uint8Array
}

const EMPTY = Uint8Array.of(0, 0)

/** Everything lib0's value encoding can carry. */
const anyValues: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  1,
  -63,
  64,
  -64,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 31,
  2 ** 53,
  -(2 ** 53 - 1),
  0.5,
  0.1,
  NaN,
  Infinity,
  -Infinity,
  5n,
  -(2n ** 63n),
  '',
  'text',
  'ü€😀',
  new Uint8Array(0),
  Uint8Array.of(1, 2, 255),
  [],
  [[], [1, ['two']], {}],
  { a: { b: { c: [null] } }, '': 1, ключ: 2 },
  JSON.parse('{"__proto__": {"x": 1}}'),
]

function samplesOf(name: string, author: (doc: Y.Doc, step: (edit: () => void) => void) => void, gc = true): Sample[] {
  const doc = new Y.Doc({ gc })
  doc.clientID = 1000 + name.length
  const samples: Sample[] = []
  let base: Uint8Array = EMPTY
  doc.on('update', (update: Uint8Array) => {
    samples.push({ name: `${name}, step ${samples.length}`, update, base })
    base = Y.encodeStateAsUpdate(doc)
  })
  author(doc, (edit) => {
    doc.transact(edit)
  })
  samples.push({ name: `${name}, whole`, update: Y.encodeStateAsUpdate(doc), base: EMPTY })
  if (samples.length > 3) {
    const updates = samples.slice(0, -1).map((sample) => sample.update)
    samples.push({ name: `${name}, merged`, update: Y.mergeUpdates(updates), base: EMPTY })
    const gaps = updates.filter((_, index) => index % 3 !== 1)
    samples.push({ name: `${name}, merged with gaps`, update: Y.mergeUpdates(gaps), base: samples[2]?.base ?? EMPTY })
  }
  return samples
}

function text(): Sample[] {
  return samplesOf('text', (doc, step) => {
    const text = doc.getText('text')
    text.insert(0, 'a')
    text.insert(1, 'bc')
    text.insert(1, 'größer 😀')
    text.delete(2, 3)
    step(() => {
      text.insert(0, 'one')
      text.insert(3, 'two', { bold: true, color: { name: 'красный' } })
      text.insertEmbed(2, { image: 'a "quoted" \\ path \u0007', size: [1.5e-7, -0, 1e21] })
    })
    text.format(0, 4, { bold: null, italic: 'x', ключ: [] })
    text.applyDelta([{ retain: 3 }, { insert: 'delta\n', attributes: { header: 1 } }, { delete: 2 }])
    text.setAttribute('lang', 'de')
  })
}

function mapsAndArrays(gc: boolean): Sample[] {
  return samplesOf(
    gc ? 'maps and arrays' : 'maps and arrays without collection',
    (doc, step) => {
      const map = doc.getMap('map')
      for (let i = 0; i < 5; i++) map.set('counter', i)
      for (const value of anyValues) map.set(`key ${typeof value}`, [value])
      const list = doc.getArray<unknown>('list')
      list.insert(0, [anyValues, null, 1, 'two', true, { three: 3 }, Uint8Array.of(4), [5], 6.5, -7])
      list.delete(3, 7)
      step(() => {
        const inner = new Y.Map<unknown>([['a', 1]])
        map.set('inner', inner)
        inner.set('list', Y.Array.from([1, 'two', new Y.Text('three')]))
        inner.set('text', new Y.Text('nested'))
      })
      ;(map.get('inner') as Y.Map<unknown>).set('late', [1])
      ;((map.get('inner') as Y.Map<unknown>).get('text') as Y.Text).format(0, 3, { bold: true })
      map.delete('inner')
      map.set('binary', Uint8Array.of(9, 8, 7))
    },
    gc,
  )
}

function xml(): Sample[] {
  return samplesOf('xml', (doc, step) => {
    const fragment = doc.getXmlFragment('prosemirror')
    step(() => {
      const paragraph = new Y.XmlElement('paragraph')
      paragraph.setAttribute('align', 'left')
      const content = new Y.XmlText('hello')
      fragment.insert(0, [paragraph])
      // The types of Yjs do not admit hooks here, but its code does.
      paragraph.insert(0, [content, new Y.XmlHook('hook') as unknown as Y.XmlText])
    })
    const paragraph = fragment.get(0) as Y.XmlElement
    const content = paragraph.get(0) as Y.XmlText
    content.insert(5, ' world', { strong: {} })
    content.format(2, 5, { em: { class: 'x' } })
    paragraph.setAttribute('align', 'right')
    fragment.insert(0, [new Y.XmlElement('heading'), new Y.XmlFragment() as unknown as Y.XmlElement])
    fragment.delete(0, 1)
    paragraph.delete(0, 1)
  })
}

function subdocuments(): Sample[] {
  return samplesOf('subdocuments', (doc) => {
    const docs = doc.getMap('docs')
    docs.set('plain', new Y.Doc({ guid: 'plain' }))
    docs.set('options', new Y.Doc({ guid: 'ü', gc: false, autoLoad: true, meta: { title: ['x', null] } }))
    docs.delete('plain')
  })
}

function undo(): Sample[] {
  return samplesOf('undo', (doc) => {
    const text = doc.getText('text')
    const map = doc.getMap('map')
    const manager = new Y.UndoManager([text, map], { captureTimeout: 0 })
    text.insert(0, 'hello')
    map.set('a', new Y.Map([['b', 1]]))
    map.set('a', 2)
    text.delete(1, 2)
    manager.undo()
    manager.undo()
    manager.redo()
    text.insert(2, 'x')
    manager.undo()
    manager.destroy()
  })
}

function clients(name: string, ids: readonly number[]): Sample[] {
  const docs = ids.map((id) => {
    const doc = new Y.Doc()
    doc.clientID = id
    return doc
  })
  const samples: Sample[] = []
  let base: Uint8Array = EMPTY
  for (let round = 0; round < 3; round++) {
    docs.forEach((doc, index) => {
      const before = Y.encodeStateVector(doc)
      const text = doc.getText('text')
      text.insert(text.length >> 1, `from ${index} in ${round}. `)
      if (text.length > 12) text.delete(index, 3)
      doc.getMap('map').set('who', index)
      samples.push({ name: `${name}, ${index} in round ${round}`, update: Y.encodeStateAsUpdate(doc, before), base })
    })
    const all = Y.mergeUpdates(docs.map((doc) => Y.encodeStateAsUpdate(doc)))
    for (const doc of docs) Y.applyUpdate(doc, all)
    base = Y.encodeStateAsUpdate(docs[0] as Y.Doc)
    samples.push({ name: `${name}, all of round ${round}`, update: all, base: EMPTY })
  }
  return samples
}

/** A kind of content Yjs reads but no longer writes, by hand: client 7, clock 0, in the root "a". */
function legacy(): Sample[] {
  const texts = ['undefined', ' {"a": [1, -2.5e+3, "\\u00e9\\n"]} ', 'null', '"ü"', '0', '[]']
  const update = [1, 1, 7, 0, 2, 1, 1, 97, texts.length]
  for (const text of texts) {
    const utf8 = new TextEncoder().encode(text)
    update.push(utf8.length, ...utf8)
  }
  update.push(0)
  return [{ name: 'legacy JSON', update: Uint8Array.from(update), base: EMPTY }]
}

/** Real updates of every kind of content, as steps, as whole states, and merged with and without gaps. */
export function updateCorpus(): Sample[] {
  return [
    { name: 'empty', update: EMPTY, base: EMPTY },
    ...text(),
    ...mapsAndArrays(true),
    ...mapsAndArrays(false),
    ...xml(),
    ...subdocuments(),
    ...undo(),
    ...clients('three clients', [1, 200, 70_000]),
    ...clients('53-bit clients', [2 ** 53 - 1, 2 ** 32, 2 ** 31]),
    ...legacy(),
  ]
}
