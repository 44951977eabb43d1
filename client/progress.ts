import type { ObservableV2 } from 'lib0/observable'
import type { ClientClock, Page } from './environment.ts'
import { AccessDeniedError, DestroyedError, ReadOnlyError } from './errors.ts'
import type { ProviderEvents } from './events.ts'
import type { Link } from './link.ts'
import type { Scope, SyncStatus } from './status.ts'
import type { Uploads } from './uploads.ts'
import { Waiters } from './waiters.ts'

/** Milliseconds after which unsaved edits count as stuck. */
const STUCK_MS = 10_000

export interface ProgressParts<Provider> {
  readonly provider: Pick<ObservableV2<ProviderEvents<Provider>>, 'emit'>
  readonly uploads: Uploads
  readonly link: Link
  readonly clock: ClientClock
  readonly page: Page
  readonly preventsClose: boolean
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
  #told = { unsaved: 0, status: '' }
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
    const isRead = (): boolean => device?.isRead !== false
    const error = this.#obstacle() ?? (this.#scope === 'readonly' ? new ReadOnlyError() : null)
    if (error !== null && !(uploads.isSaved && isRead())) throw error
    if (!isRead()) return this.#saveWaiters.wait(isRead, signal).then(() => this.whenSaved(signal, device))
    const version = uploads.made
    const saved = this.#saveWaiters.wait(() => uploads.saved >= version, signal)
    uploads.prove()
    return saved
  }

  setSynced(isSynced: boolean): void {
    if (this.#isSynced === isSynced) return
    this.#isSynced = isSynced
    const { provider } = this.#parts
    provider.emit('synced', [isSynced])
    provider.emit('sync', [isSynced])
    this.#syncWaiters.check()
    this.tell()
  }

  setScope(scope: Scope): void {
    if (scope === this.#scope) return
    this.#scope = scope
    this.#parts.provider.emit('scope', [scope])
    if (scope === 'readonly') this.#saveWaiters.rejectAll(() => new ReadOnlyError())
  }

  /** Edits were made or saved. */
  count(savedAfter: number | null): void {
    const { provider, uploads } = this.#parts
    this.#savedAfter = savedAfter ?? this.#savedAfter
    this.#saveWaiters.check()
    const unsaved = uploads.made - uploads.saved
    if (unsaved === this.#told.unsaved) return
    this.#told.unsaved = unsaved
    this.#guardPage(unsaved > 0)
    provider.emit('unsaved-changes', [unsaved])
    if (uploads.isSaved) provider.emit('saved', [])
    this.tell()
  }

  /** Tells the application if the connection or anything else has changed, or nothing has for too long. */
  tell(): void {
    const { uploads, link, provider, clock } = this.#parts
    const since = uploads.unsavedSince
    const left = since === null ? STUCK_MS : since + STUCK_MS - clock.now()
    if (since !== null && left > 0) this.#lookIn(left)
    const status = `${link.isOpen}${this.#isSynced}${since === null}${left > 0}`
    if (status === this.#told.status) return
    this.#told.status = status
    provider.emit('sync-status', [this.syncStatus])
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
    const { preventsClose, page } = this.#parts
    if (!isUnsaved) {
      this.#allowClose?.()
      this.#allowClose = null
    } else if (preventsClose) this.#allowClose ??= page.preventClose()
  }
}
