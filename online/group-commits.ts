/** Requests for the same target that arrive within a short time are done together. */
import { MoraineError } from '../errors/index.js';

/** Bytes of a group of several requests; the others wait for the next one. */
const MAX_GROUP_BYTES = 64 * 2 ** 20;

/** What a request brings. */
export interface RequestSize {
  /** That it takes in memory. */
  readonly bytes: number;
  readonly rows: number;
}

/** A request fails alone. */
export type Outcome<Result> = { readonly result: Result } | { readonly error: unknown };

/** What became of a group. */
export interface GroupOutcome<Result> {
  /** One for each request. */
  readonly outcomes: readonly Outcome<Result>[];
  /** Requests are answered when this ends; it never rejects. The next group does not wait for it. */
  readonly answerable?: Promise<void>;
}

export interface GroupWork<Request, Result> {
  /** Rows of a group of several requests; the others wait for the next one. No limit by default. */
  readonly maxRows?: number;
  /** Whether a request may join a group of the other. */
  readonly isAlike: (first: Request, request: Request) => boolean;
  /**
   * Does the requests of one group, in the order that they arrived in.
   * What it throws is the outcome of all.
   */
  readonly commit: (target: string, requests: readonly Request[]) => Promise<GroupOutcome<Result>>;
}

interface Waiting<Request, Result> {
  readonly request: Request;
  readonly size: RequestSize;
  readonly settle: (outcome: Outcome<Result>) => void;
}

interface Target<Request, Result> {
  readonly waiting: Waiting<Request, Result>[];
  isCommitting: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** One group of a target is done at a time; the next one collects meanwhile. */
export class GroupCommits<Request, Result> {
  readonly #groupCommitMs: number;
  readonly #work: GroupWork<Request, Result>;
  readonly #targets = new Map<string, Target<Request, Result>>();
  readonly #running = new Set<Promise<void>>();
  /** Requests that wait or are under way. */
  #requests = 0;

  /** @param groupCommitMs milliseconds that the first request of a group waits for others */
  constructor(groupCommitMs: number, work: GroupWork<Request, Result>) {
    this.#groupCommitMs = groupCommitMs;
    this.#work = work;
  }

  /**
   * Adds a request and waits until its group is done.
   * @throws what the work throws
   */
  async add(name: string, request: Request, size: RequestSize): Promise<Result> {
    this.#requests += 1;
    try {
      const outcome = await new Promise<Outcome<Result>>((settle) => {
        const target = this.#targets.get(name) ?? { waiting: [], isCommitting: false, timer: undefined };
        this.#targets.set(name, target);
        target.waiting.push({ request, size, settle });
        this.#wait(name, target);
      });
      if ('error' in outcome) throw outcome.error;
      return outcome.result;
    } finally {
      this.#requests -= 1;
    }
  }

  /** Waits until nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.#requests > 0) {
      await Promise.all(this.#running);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #wait(name: string, target: Target<Request, Result>): void {
    if (target.timer !== undefined || target.waiting.length === 0) return;
    target.timer = setTimeout(() => {
      target.timer = undefined;
      if (!target.isCommitting) this.#start(name, target);
    }, this.#groupCommitMs);
  }

  #start(name: string, target: Target<Request, Result>): void {
    const group = this.#take(target.waiting);
    if (group.length === 0) return void this.#targets.delete(name);
    target.isCommitting = true;
    const committed = this.#commit(name, group).finally(() => {
      target.isCommitting = false;
      // Without a timer the time of those who wait is over.
      if (target.timer === undefined) this.#start(name, target);
    });
    const run = committed.then((of) => answer(group, of)).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** The longest beginning of those who wait that may be one group. */
  #take(waiting: Waiting<Request, Result>[]): readonly Waiting<Request, Result>[] {
    const [first] = waiting;
    if (first === undefined) return [];
    const { maxRows = Infinity, isAlike } = this.#work;
    let [bytes, rows, count] = [0, 0, 0];
    for (const { request, size } of waiting) {
      bytes += size.bytes;
      rows += size.rows;
      if (count > 0 && (bytes > MAX_GROUP_BYTES || rows > maxRows || !isAlike(first.request, request))) break;
      count += 1;
    }
    return waiting.splice(0, count);
  }

  async #commit(name: string, group: readonly Waiting<Request, Result>[]): Promise<GroupOutcome<Result>> {
    const requests = group.map(({ request }) => request);
    return await this.#work
      .commit(name, requests)
      .catch((error: unknown) => ({ outcomes: requests.map((): Outcome<Result> => ({ error })) }));
  }
}

async function answer<Result>(
  group: readonly Waiting<unknown, Result>[],
  { outcomes, answerable }: GroupOutcome<Result>,
): Promise<void> {
  await answerable;
  for (const [place, { settle }] of group.entries())
    settle(outcomes[place] ?? { error: new MoraineError('INTERNAL', 'A group commit left out a request.') });
}
