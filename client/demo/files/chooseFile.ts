import { element } from '../ui/element.ts'

/** The file the reader chooses. @param accept as in `<input accept>` */
export function chooseFile(accept: string, take: (file: File) => void): void {
  const input = element('input', {
    type: 'file',
    accept,
    class: 'unseen',
    'aria-label': 'File to import',
    tabindex: -1,
  })
  const done = (): void => input.remove()
  input.addEventListener('cancel', done)
  input.addEventListener('change', () => {
    const file = input.files?.[0]
    done()
    if (file !== undefined) take(file)
  })
  document.body.append(input)
  input.click()
}
