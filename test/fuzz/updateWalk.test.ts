import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { MalformedUpdateError } from '../../shared/errors.ts'
import { advance, decodeStateVector, encodeStateVector } from '../../shared/update/stateVector.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import type { Sample } from './updateCorpus.ts'
import { updateCorpus } from './updateCorpus.ts'
import { mutated, seededRandom } from './updateMutations.ts'

/** Inputs per run; raise for a long soak. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 30_000)
const FIRST_SEED = Number(process.env['FUZZ_SEED'] ?? 1)

function walkOrRefuse(update: Uint8Array): UpdateShape | null {
  try {
    return walkUpdate(update)
  } catch (error) {
    if (error instanceof MalformedUpdateError) return null
    throw error
  }
}

/** Two clients whose structs may wait for each other: accepted on purpose, Yjs keeps them pending. */
function mayBeCyclic({ runs, needs }: UpdateShape): boolean {
  return needs !== null && runs.some((client, index) => index % 3 === 0 && needs.has(client))
}

/**
 * A struct of which the document has the first half, collected, and whose second half is not: Yjs throws. Only the
 * document can know, so that the walk lets it pass.
 */
function overlaps(vector: ReadonlyMap<number, number>, { runs }: UpdateShape): boolean {
  return runs.some((client, index) => index % 3 === 0 && (vector.get(client) ?? 0) > (runs[index + 1] ?? 0))
}

function checkAccepted(update: Uint8Array, shape: UpdateShape, base: Uint8Array): void {
  Y.applyUpdate(new Y.Doc(), update)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, base)
  const vector = decodeStateVector(Y.encodeStateVector(doc), 1000)
  const mayThrow = overlaps(vector, shape)
  const result = advance(vector, shape)
  try {
    Y.applyUpdate(doc, update)
  } catch (error) {
    if (mayThrow) return
    throw error
  }
  const isPending = doc.store.pendingStructs !== null || doc.store.pendingDs !== null
  if (result === 'missing' || (isPending && mayBeCyclic(shape))) return
  expect(isPending, 'pending although advance said applied').toBe(false)
  expect(encodeStateVector(vector)).toEqual(Y.encodeStateVector(doc))
  const whole = Y.encodeStateAsUpdate(doc)
  walkUpdate(whole)
  Y.applyUpdate(new Y.Doc(), whole)
}

function check(seed: number, corpus: readonly Sample[]): boolean {
  const random = seededRandom(seed)
  const sample = corpus[random(corpus.length)] as Sample
  const other = corpus[random(corpus.length)] as Sample
  const update = mutated(sample.update, other.update, random)
  try {
    const shape = walkOrRefuse(update)
    if (shape === null) return false
    checkAccepted(update, shape, sample.base)
    return true
  } catch (cause) {
    const hex = Buffer.from(update).toString('hex')
    throw new Error(`FUZZ_SEED=${seed}: "${sample.name}" became ${hex}`, { cause })
  }
}

it('C37: whatever a mutated update is, it is refused, or Yjs takes it whole and agrees about the state', () => {
  const corpus = updateCorpus()
  let accepted = 0
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    if (check(seed, corpus)) accepted++
  }
  // Else the mutations, or the walk, have become so coarse that nothing is tested.
  if (RUNS >= 1000) expect(accepted).toBeGreaterThan(RUNS / 50)
}, 3_600_000)
