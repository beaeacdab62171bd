/** Room for writes that are not answered yet: their rows are in memory until they are committed. */
import { MoraineError } from '../errors/index.js';

export interface WriteRoomLimits {
  /** Writes at a time. */
  readonly maxRequests: number;
  /** The bytes of their bodies together. */
  readonly maxBytes: number;
}

/** One per process. */
export class WriteRoom {
  readonly #limits: WriteRoomLimits;
  #requests = 0;
  #bytes = 0;

  constructor(limits: WriteRoomLimits) {
    this.#limits = limits;
  }

  /** Writes that are not answered yet, and the bytes of their bodies. */
  get held(): { readonly requests: number; readonly bytes: number } {
    return { requests: this.#requests, bytes: this.#bytes };
  }

  /**
   * Does a write that has room from its beginning to its end, whatever it commits in between. A write alone has room however large it is.
   * @param bytes of its body
   * @throws OVERLOADED before it is begun; what the work throws
   */
  async hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.#requireRoom(bytes);
    this.#requests += 1;
    this.#bytes += bytes;
    try {
      return await work();
    } finally {
      this.#requests -= 1;
      this.#bytes -= bytes;
    }
  }

  #requireRoom(bytes: number): void {
    const { maxRequests, maxBytes } = this.#limits;
    const isEmpty = this.#requests === 0;
    if (isEmpty || (this.#requests < maxRequests && this.#bytes + bytes <= maxBytes)) return;
    throw new MoraineError(
      'OVERLOADED',
      `${this.#requests} writes with ${this.#bytes} bytes wait to be committed; ${maxRequests} writes and ${maxBytes} bytes may (server.maxQueuedWrites, server.maxQueuedBytes).`,
    );
  }
}
