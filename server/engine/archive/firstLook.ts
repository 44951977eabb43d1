import { StorageError } from '../../../shared/errors.ts'

export interface FirstLook {
  /** Asks the archive whether it is what it should be. */
  readonly look: () => Promise<void>
  /** Whether nobody answered, which says nothing about whether the address is right. */
  readonly isUnreachable: (thrown: unknown) => boolean
  /** See `ArchiveOptions`. */
  readonly onUnreachable: ((error: StorageError) => void) | undefined
  readonly close: () => Promise<void>
}

/** An archive that is away may come back; one that refuses us needs somebody to change something, now. */
export async function firstLook({ look, isUnreachable, onUnreachable, close }: FirstLook): Promise<void> {
  try {
    await look()
  } catch (thrown) {
    const isAway = thrown instanceof StorageError && isUnreachable(thrown.cause)
    if (isAway && onUnreachable !== undefined) return onUnreachable(thrown)
    await close()
    throw thrown
  }
}
