/** Requests for the same target that arrive within a short time are done together. */
import { MoraineError } from '../errors/index.js';

export interface GroupLimits {
  /** Milliseconds that the first request of a group waits for others. */
  readonly groupCommitMs: number;
  /** Requests that may wait or be under way. */
  readonly maxQueuedRequests: number;
  /** Their bytes together. */
  readonly maxQueuedBytes: number;
}

/** Bytes of a group of several requests; the others wait for the next one. */
const MAX_GROUP_BYTES = 64 * 2 ** 20;

/** A request fails alone. */
export type Outcome<Result> = { readonly result: Result } | { readonly error: unknown };

export interface GroupWork<Request, Result> {
  /** Whether a request may join a group of the other. */
  readonly isAlike: (first: Request, request: Request) => boolean;
  /**
   * Does the requests of one group, in the order that they arrived in.
   * @returns an outcome for each; what it throws is the outcome of all
   */
  readonly commit: (target: string, requests: readonly Request[]) => Promise<readonly Outcome<Result>[]>;
}

interface Waiting<Request, Result> {
  readonly request: Request;
  readonly bytes: number;
  readonly settle: (outcome: Outcome<Result>) => void;
}

interface Target<Request, Result> {
  readonly waiting: Waiting<Request, Result>[];
  isCommitting: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** One group of a target is done at a time; the next one collects meanwhile. */
export class GroupCommits<Request, Result> {
  readonly #limits: GroupLimits;
  readonly #work: GroupWork<Request, Result>;
  readonly #targets = new Map<string, Target<Request, Result>>();
  readonly #running = new Set<Promise<void>>();
  #requests = 0;
  #bytes = 0;

  constructor(limits: GroupLimits, work: GroupWork<Request, Result>) {
    this.#limits = limits;
    this.#work = work;
  }

  /** Requests that wait or are under way, and their bytes. */
  get queued(): { readonly requests: number; readonly bytes: number } {
    return { requests: this.#requests, bytes: this.#bytes };
  }

  /**
   * Adds a request and waits until its group is done.
   * @throws OVERLOADED if too much waits; what the work throws
   */
  async add(name: string, request: Request, bytes: number): Promise<Result> {
    this.#requireRoom(bytes);
    this.#requests += 1;
    this.#bytes += bytes;
    try {
      const outcome = await new Promise<Outcome<Result>>((settle) => {
        const target = this.#targets.get(name) ?? { waiting: [], isCommitting: false, timer: undefined };
        this.#targets.set(name, target);
        target.waiting.push({ request, bytes, settle });
        this.#wait(name, target);
      });
      if ('error' in outcome) throw outcome.error;
      return outcome.result;
    } finally {
      this.#requests -= 1;
      this.#bytes -= bytes;
    }
  }

  /** Waits until nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.#requests > 0) {
      await Promise.all(this.#running);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #requireRoom(bytes: number): void {
    const { maxQueuedRequests, maxQueuedBytes } = this.#limits;
    const isEmpty = this.#requests === 0;
    if (isEmpty || (this.#requests < maxQueuedRequests && this.#bytes + bytes <= maxQueuedBytes)) return;
    throw new MoraineError(
      'OVERLOADED',
      `${this.#requests} writes with ${this.#bytes} bytes wait to be committed; ${maxQueuedRequests} writes and ${maxQueuedBytes} bytes may (server.maxQueuedWrites, server.maxQueuedBytes).`,
    );
  }

  #wait(name: string, target: Target<Request, Result>): void {
    if (target.timer !== undefined || target.waiting.length === 0) return;
    target.timer = setTimeout(() => {
      target.timer = undefined;
      if (!target.isCommitting) this.#start(name, target);
    }, this.#limits.groupCommitMs);
  }

  #start(name: string, target: Target<Request, Result>): void {
    const group = this.#take(target.waiting);
    if (group.length === 0) return void this.#targets.delete(name);
    target.isCommitting = true;
    const run = this.#commit(name, group).finally(() => {
      this.#running.delete(run);
      target.isCommitting = false;
      // Without a timer the time of those who wait is over.
      if (target.timer === undefined) this.#start(name, target);
    });
    this.#running.add(run);
  }

  /** The longest beginning of those who wait that may be one group. */
  #take(waiting: Waiting<Request, Result>[]): readonly Waiting<Request, Result>[] {
    const [first] = waiting;
    if (first === undefined) return [];
    let bytes = 0;
    let count = 0;
    for (const each of waiting) {
      bytes += each.bytes;
      if (count > 0 && (bytes > MAX_GROUP_BYTES || !this.#work.isAlike(first.request, each.request))) break;
      count += 1;
    }
    return waiting.splice(0, count);
  }

  async #commit(name: string, group: readonly Waiting<Request, Result>[]): Promise<void> {
    const requests = group.map(({ request }) => request);
    const outcomes = await this.#work
      .commit(name, requests)
      .catch((error: unknown) => requests.map((): Outcome<Result> => ({ error })));
    for (const [place, { settle }] of group.entries()) {
      settle(outcomes[place] ?? { error: new MoraineError('INTERNAL', 'A group commit left out a request.') });
    }
  }
}
