/** What a received update means to the document. */
export type Admission =
  /** All of it is known already. */
  | 'nothing'
  /** It fits, and overlaps with nothing: one client goes on exactly where it stopped, and deletes nothing. */
  | 'appends'
  /** It fits; the frontier counts it now, as after 'appends'. */
  | 'fits'
  /** It builds on something unknown. */
  | 'missing'

export type Applied =
  /**
   * One update that merges the whole batch; null when the batch changed nothing. `isVerbatim`: it says nothing that the
   * batch's updates do not; Yjs may have tidied up formatting.
   */
  | { readonly ok: true; readonly merged: Uint8Array | null; readonly isVerbatim: boolean }
  /** Yjs threw on one of the updates (its index), or left something pending (null): the document in memory is spoilt. */
  | { readonly ok: false; readonly culprit: number | null; readonly error: Error }
  /** Part of the log turned out to be unusable: what was admitted has to be judged again, by what is really there. */
  | { readonly ok: false; readonly culprit: 'none' }
