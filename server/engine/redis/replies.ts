import type { Reply } from './connection.ts'

/** What Redis answers, as what it stands for. Whatever does not fit is empty: who asked decides what that means. */
export function asList(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : []
}

export function asText(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply ?? '')
}

export function asOptionalText(reply: Reply | undefined): string | null {
  const text = asText(reply)
  return text === '' ? null : text
}

export function asWords(reply: Reply | undefined): readonly string[] {
  return asText(reply)
    .split(' ')
    .filter((word) => word !== '')
}
