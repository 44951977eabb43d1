type Child = Node | string | null

/** Attributes by name; a function under `on…` is a listener, `true` an empty attribute, false or null none at all. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | ((event: Event) => void)>>

/** A new element. Never parses HTML: whatever others wrote stays text. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const created = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') created.addEventListener(key.slice(2), value)
    else if (value !== false && value !== null) created.setAttribute(key, value === true ? '' : String(value))
  }
  created.append(...children.filter((child) => child !== null))
  return created
}

/** What index.html is known to have. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`index.html has no #${id}`)
  return found
}

export function query<Kind extends Element>(within: ParentNode, selector: string, kind: new () => Kind): Kind {
  const found = within.querySelector(selector)
  if (!(found instanceof kind)) throw new Error(`nothing matches ${selector}`)
  return found
}
