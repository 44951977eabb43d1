import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { writeDurably } from './durableFile.ts'

export interface QuarantineInfo {
  /** Null when a whole file of the database is unreadable and no document can be named. */
  readonly document: string | null
  /** Where the raw bytes are now: one line of JSON that says what they were, then the bytes exactly as found. */
  readonly file: string
  readonly reason: string
}

export interface Suspect {
  readonly document: string | null
  /** What it was, for the file's name: letters, digits and dashes. */
  readonly label: string
  readonly raw: Uint8Array
  readonly reason: string
}

/**
 * Keeps the raw bytes of what cannot be read, durably, before anything may drop them. The same bytes are kept and
 * reported once, however often they are met.
 */
export class Quarantine {
  readonly #folder: string
  readonly #onQuarantine: (info: QuarantineInfo) => void
  readonly #keeping = new Map<string, Promise<void>>()

  constructor(directory: string, onQuarantine: (info: QuarantineInfo) => void) {
    this.#folder = join(directory, 'quarantine')
    this.#onQuarantine = onQuarantine
  }

  /** Rejects when the bytes could not be kept; the caller must then not go on as if they were. */
  keep(suspect: Suspect): Promise<void> {
    const { label, raw } = suspect
    const file = join(this.#folder, `${label}-${crc32(raw).toString(16).padStart(8, '0')}.bin`)
    const keeping = this.#keeping.get(file) ?? this.#write(file, suspect).finally(() => this.#keeping.delete(file))
    this.#keeping.set(file, keeping)
    return keeping
  }

  async #write(file: string, suspect: Suspect): Promise<void> {
    const { document, label, raw, reason } = suspect
    if (await exists(file)) return
    await mkdir(this.#folder, { recursive: true })
    const header = Buffer.from(`${JSON.stringify({ document, label, reason })}\n`)
    await writeDurably(file, Buffer.concat([header, raw]))
    this.#onQuarantine({ document, file, reason })
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file)
    return true
  } catch {
    return false
  }
}
