import type { ObservableV2 } from 'lib0/observable'
import type { ClientClock, Page } from './environment.ts'
import { AccessDeniedError, DestroyedError, ReadOnlyError } from './errors.ts'
import type { ProviderEvents } from './events.ts'
import type { Link } from './link.ts'
import type { CompleteOptions } from './options.ts'
import type { Scope, SyncStatus } from './status.ts'
import type { Uploads } from './uploads.ts'
import { Waiters } from './waiters.ts'

/** Milliseconds after which unsaved edits count as stuck. */
const STUCK_MS = 10_000

export interface ProgressParts<Provider> {
  readonly owner: Pick<ObservableV2<ProviderEvents<Provider>>, 'emit'>
  readonly uploads: Uploads
  readonly link: Link
  readonly clock: ClientClock
  readonly page: Page
  readonly options: Pick<CompleteOptions, 'preventUnsavedChanges'>
}

/** How far a document is synchronised and saved, as the application is told. */
export class Progress<Provider> {
  readonly #parts: ProgressParts<Provider>
  readonly #syncWaiters = new Waiters()
  readonly #saveWaiters = new Waiters()
  #isSynced = false
  #scope: Scope = 'read-write'
  #savedAfter: number | null = null
  /** What the last events said. */
  #toldUnsaved = 0
  #toldStatus = ''
  #allowClose: (() => void) | null = null
  #cancelLook: (() => void) | null = null

  constructor(parts: ProgressParts<Provider>) {
    this.#parts = parts
  }

  get isSynced(): boolean {
    return this.#isSynced
  }

  get scope(): Scope {
    return this.#scope
  }

  /** Milliseconds from the last edit that was confirmed to its confirmation; null before. */
  get savedAfter(): number | null {
    return this.#savedAfter
  }

  get syncStatus(): SyncStatus {
    const { uploads, link, clock } = this.#parts
    const now = clock.now()
    const since = uploads.unsavedSince
    const localUpdatesAge = since === null ? 0 : now - since
    const isDone = link.isOpen && this.#isSynced && since === null
    return {
      connected: link.isOpen,
      receivedInitialSync: this.#isSynced,
      localUpdatesSynced: since === null,
      localUpdatesAge,
      lastMessageAge: now - (link.heardAt ?? now),
      status: isDone ? 'green' : link.isOpen && localUpdatesAge < STUCK_MS ? 'yellow' : 'red',
    }
  }

  whenSynced(): Promise<void> {
    const error = this.#obstacle()
    if (error !== null && !this.#isSynced) return Promise.reject(error)
    return this.#syncWaiters.wait(() => this.#isSynced)
  }

  /** @param device may hold edits of an earlier page, which count as made before the call */
  async whenSaved(signal: AbortSignal | undefined, device: { readonly isRead: boolean } | null): Promise<void> {
    const { uploads } = this.#parts
    // In any case to the end of this turn: what a transaction writes is counted when Yjs has called its observers, too.
    await this.#saveWaiters.wait(() => device?.isRead !== false || this.#obstacle() !== null, signal)
    const error = this.#obstacle() ?? (this.#scope === 'readonly' ? new ReadOnlyError() : null)
    // After the end nothing is counted, so that nothing is known.
    if (error && (error instanceof DestroyedError || !uploads.isSaved)) throw error
    const version = uploads.made
    const saved = this.#saveWaiters.wait(() => uploads.saved >= version, signal)
    uploads.prove()
    return saved
  }

  setSynced(isSynced: boolean): void {
    if (this.#isSynced === isSynced) return
    this.#isSynced = isSynced
    const { owner } = this.#parts
    owner.emit('synced', [isSynced])
    owner.emit('sync', [isSynced])
    this.#syncWaiters.check()
    this.tell()
  }

  setScope(scope: Scope): void {
    if (scope === this.#scope) return
    this.#scope = scope
    this.#parts.owner.emit('scope', [scope])
    if (scope === 'readonly') this.#saveWaiters.rejectAll(() => new ReadOnlyError())
  }

  /** Edits were made or saved. */
  count(savedAfter: number | null): void {
    const { owner, uploads } = this.#parts
    this.#savedAfter = savedAfter ?? this.#savedAfter
    this.#saveWaiters.check()
    const unsaved = uploads.made - uploads.saved
    if (unsaved === this.#toldUnsaved) return
    this.#toldUnsaved = unsaved
    this.#guardPage(unsaved > 0)
    owner.emit('unsaved-changes', [unsaved])
    if (uploads.isSaved) owner.emit('saved', [])
    this.tell()
  }

  /** Tells the application if the connection or anything else has changed, or nothing has for too long. */
  tell(): void {
    const { syncStatus } = this
    const { connected, receivedInitialSync, localUpdatesSynced, localUpdatesAge, status } = syncStatus
    const left = STUCK_MS - localUpdatesAge
    if (!localUpdatesSynced && left > 0) this.#lookIn(left)
    const told = `${connected}${receivedInitialSync}${localUpdatesSynced}${status}`
    if (told === this.#toldStatus) return
    this.#toldStatus = told
    this.#parts.owner.emit('sync-status', [syncStatus])
  }

  #lookIn(milliseconds: number): void {
    this.#cancelLook ??= this.#parts.clock.after(milliseconds, () => {
      this.#cancelLook = null
      this.tell()
    })
  }

  /** Nothing that is waited for will happen. Who was denied still has what is not saved, and may want to copy it elsewhere. */
  rejectAll(makeError: () => AccessDeniedError | DestroyedError): void {
    this.#syncWaiters.rejectAll(makeError)
    this.#saveWaiters.rejectAll(makeError)
  }

  end(): void {
    this.#guardPage(false)
    this.#lookIn(STUCK_MS) // so that nobody begins to look, in an event that is still being told
    this.#cancelLook?.()
    this.rejectAll(() => new DestroyedError())
  }

  /** Why waiting would be in vain. */
  #obstacle(): AccessDeniedError | DestroyedError | null {
    const { status } = this.#parts.link
    if (status.name === 'closed') return new DestroyedError()
    return status.name === 'denied' ? new AccessDeniedError(status.reason, status.code) : null
  }

  #guardPage(isUnsaved: boolean): void {
    const { options, page } = this.#parts
    if (!isUnsaved) {
      this.#allowClose?.()
      this.#allowClose = null
    } else if (options.preventUnsavedChanges) this.#allowClose ??= page.preventClose()
  }
}
