/** Brings an element to the middle of what is seen, if it is not seen already; smoothly, unless motion is unwelcome. */
export function scrollTo(target: Element): void {
  const box = target.getBoundingClientRect()
  const frame = target.closest('main')?.getBoundingClientRect()
  const isSeen =
    frame !== undefined && box.top >= frame.top + frame.height / 8 && box.bottom <= frame.bottom - frame.height / 8
  if (isSeen) return
  const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches
  target.scrollIntoView({ block: 'center', behavior: isCalm ? 'auto' : 'smooth' })
}
