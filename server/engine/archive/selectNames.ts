import type { ListQuery } from '../engine.ts'

/** One page of `names`, in the order of their UTF-8 bytes; JavaScript's own order differs beyond U+FFFF. */
export function selectNames(names: Iterable<string>, { prefix = '', after, limit }: ListQuery): readonly string[] {
  return [...names]
    .filter((name) => name.startsWith(prefix) && (after === undefined || compareBytes(name, after) > 0))
    .sort(compareBytes)
    .slice(0, limit)
}

function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'))
}
