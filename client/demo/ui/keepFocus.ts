/**
 * Lets a press on the buttons inside leave the focus where it is: in the text, with its selection, and on a phone with its
 * keyboard. Who goes there by keyboard has the focus on them all the same.
 */
export function keepFocus(container: HTMLElement): void {
  container.addEventListener('mousedown', (event) => {
    if (event.target instanceof Element && event.target.closest('button') !== null) event.preventDefault()
  })
}
