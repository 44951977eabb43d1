/** One wire protocol on one connection: finds the session a frame is for, and knows all of them. */
export interface Channel {
  /** @throws ScriptoriumError when the frame is to be answered by closing the connection */
  receive(frame: Uint8Array): void
  /**
   * What stands before a message that answers `frame`.
   *
   * @throws MalformedFrameError
   */
  prefixOf(frame: Uint8Array): Uint8Array
  /** The socket has sent everything it was given. */
  drained(): void
  /** The client has heard nothing for long. */
  keepAlive(): void
  /** Called every second: clients that wait for a proof of durability give up on a silent connection after 3 s. */
  reassure(): void
  /** The connection is over: every session leaves its document. */
  end(): void
}
