/**
 * What a Yjs V1 update says about itself, found without building anything: which structs it brings, which it needs,
 * what it deletes. All lists are flat, because most updates hold one struct and are read 100,000 times a second.
 */
export interface UpdateShape {
  /** [client, firstClock, endClock (exclusive)] per run of structs, in wire order. A Skip ends a run and starts another. */
  readonly runs: readonly number[]
  /**
   * For every *other* client whose structs this update refers to (as left or right neighbour or as parent), the highest
   * clock referred to. The structs are missing unless that client's state is beyond this clock. Null: refers to none.
   * References of a client to itself are left out: the run provides them, or whatever lets the run start at its clock.
   */
  readonly needs: ReadonlyMap<number, number> | null
  /** How many structs, collected and skipped ones included; absent when that is 0 or 1, as of most updates. */
  readonly structs?: number
  /** True when a struct stands under a key of a map or is an attribute; absent otherwise. */
  readonly keyed?: true
  /** [client, clock, length] per deleted range, in wire order. */
  readonly deletes: readonly number[]
  /** Where the delete set begins in the update's bytes. */
  readonly deleteSetOffset: number
}
