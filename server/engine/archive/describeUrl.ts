/** The address without password and parameters (which may hold one, or the path of a key). */
export function describeUrl(url: string): string {
  if (!URL.canParse(url)) return 'at an address that is no URL'
  const { protocol, username, host, pathname } = new URL(url)
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`
}
