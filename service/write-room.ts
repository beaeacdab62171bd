/** Room for writes that are not answered yet: their bodies are in memory from their first byte on, and their rows until they are committed. */
import { MoraineError } from '../errors/index.js';

export interface WriteRoomLimits {
  /** Writes at a time. */
  readonly maxRequests: number;
  /** The bytes of their bodies together. */
  readonly maxBytes: number;
}

interface Held {
  readonly requests: number;
  readonly bytes: number;
}

/** The room of one write, from the arrival of its body to its last commit. */
export interface WriteShare {
  /** More of the body has arrived. @throws OVERLOADED if there is no room for it */
  grow(bytes: number): void;
  /** Does a write, whatever it commits. Its room is free when it ends, and not before, though its client be gone. @throws what the work throws */
  hold<T>(work: () => Promise<T>): Promise<T>;
  /** Gives the room back, or has the work do so that is under way. May be called twice. */
  leave(): void;
}

/** One per process. */
export class WriteRoom {
  readonly #limits: WriteRoomLimits;
  #requests = 0;
  #bytes = 0;

  constructor(limits: WriteRoomLimits) {
    this.#limits = limits;
  }

  /** Writes that are not answered yet, and the bytes of their bodies, as far as they are known. */
  get held(): Held {
    return { requests: this.#requests, bytes: this.#bytes };
  }

  /**
   * Takes room for a write whose body is about to be read, as one of those that may be at a time. Its bytes count as they arrive: those that a
   * client promises and does not send keep nobody out. A write alone has room however large it is.
   * @param declared bytes of its body, which must have room at present; 0 where its head does not tell
   * @throws OVERLOADED before anything of it is read
   */
  enter(declared: number): WriteShare {
    this.#requireRoom(this.held, declared);
    let taken = 0;
    let isIn = false;
    let isWorking = false;
    const comeIn = (): void => {
      if (isIn) return;
      this.#requests += 1;
      this.#bytes += taken;
      isIn = true;
    };
    const leave = (): void => {
      if (!isIn || isWorking) return;
      this.#requests -= 1;
      this.#bytes -= taken;
      isIn = false;
    };
    comeIn();
    return {
      grow: (more) => {
        if (!isIn) return;
        this.#requireRoom({ requests: this.#requests - 1, bytes: this.#bytes - taken }, taken + more);
        this.#bytes += more;
        taken += more;
      },
      hold: async (work) => {
        // A client that went away when its whole body had arrived has its rows written.
        comeIn();
        isWorking = true;
        try {
          return await work();
        } finally {
          isWorking = false;
          leave();
        }
      },
      leave,
    };
  }

  /** @param others those beside the write */
  #requireRoom({ requests, bytes: others }: Held, bytes: number): void {
    const { maxRequests, maxBytes } = this.#limits;
    if (requests === 0 || (requests < maxRequests && others + bytes <= maxBytes)) return;
    throw new MoraineError(
      'OVERLOADED',
      `${requests} writes with ${others} bytes arrive or wait to be committed; ${maxRequests} writes and ${maxBytes} bytes may (server.maxQueuedWrites, server.maxQueuedBytes).`,
    );
  }
}
