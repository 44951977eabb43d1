import { element } from '../ui/element.ts'

/** Hands a file to the reader. @param type media type */
export function download(name: string, type: string, content: string | Uint8Array<ArrayBuffer>): void {
  const address = URL.createObjectURL(new Blob([content], { type }))
  const link = element('a', { href: address, download: name })
  link.click()
  // The browser has begun to read it by the next turn; until then the address must hold.
  setTimeout(() => URL.revokeObjectURL(address))
}

/** A file name out of a title: no separators, no control characters, not too long. */
export function fileName(title: string, extension: string): string {
  const safe = title
    .replaceAll(/[\p{Cc}<>:"/\\|?*]+/gu, ' ')
    .trim()
    .slice(0, 80)
  return `${safe === '' ? 'document' : safe}.${extension}`
}
