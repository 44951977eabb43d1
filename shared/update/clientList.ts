/**
 * Notices a client id listed twice. Yjs writes clients in descending order, so that a set is hardly ever built; other
 * implementations may write them in any order.
 */
export class ClientList {
  readonly #clients: number[] = []
  #lowest = Infinity
  #descending = true

  add(client: number): void {
    if (client >= this.#lowest) this.#descending = false
    this.#lowest = client
    this.#clients.push(client)
  }

  hasDuplicate(): boolean {
    return !this.#descending && new Set(this.#clients).size < this.#clients.length
  }
}
