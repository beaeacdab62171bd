import { CancellationScope, patched, sleep } from '@temporalio/workflow';

/** What the summary of a step that is run again has beside. */
export const againText = (isAgain: boolean): string => (isAgain ? ', again: its worker is slow' : '');

/** What the input of a step that is run again has beside. */
export const againInput = (isAgain: boolean): { readonly again?: true } => (isAgain ? { again: true } : {});

/** What all pieces of a run have in common. */
interface Pieces<Done> {
  /** What every step is given, beside its number. */
  readonly input: object;
  /** Runs one. @param isAgain whether it is run already, by a worker that is slow */
  readonly step: (piece: number, isAgain: boolean) => Promise<Done>;
  /** Called once for each, when it has ended. */
  readonly ended?: (done: Done) => void;
  /** Called for what a run gives that ends although another run of its piece has ended before: nobody reads it. */
  readonly late?: (done: Done) => void;
  /** Is told of the runs that others have overtaken. */
  readonly overtaken?: OvertakenRuns;
  /** Whether pieces that count are about equally large and others smaller, so that one which takes far longer has a slow worker; true unless given. */
  readonly areAlike?: boolean;
  /** Whether there was as much to do as for the others: how long a small piece takes says nothing of large ones. */
  readonly counts?: (done: Done, piece: number) => boolean;
}

/** A piece that has not ended after so many times as long as half of the pieces took is run again. With pieces alike, in rounds on any number of workers, the last ends after twice as long at most. */
const SLOW_TIMES = 3;

/** Nothing is run again sooner: short runs meet workers that start, and others' work. */
const LEAST_PATIENCE_MS = 20_000;

/** A run of 0.1.0 waited for each worker as long as that sent heartbeats. Its history has neither the marker nor the timer. */
const RUNS_SLOW_PIECES_AGAIN = 'runs-slow-pieces-again';

/**
 * Inputs of the steps that are begun within one workflow task, in characters: all that a task asks for is one message. For one of more than
 * 4 MiB a Temporal server terminates the workflow (`GrpcMessageTooLarge`).
 */
const MAX_TASK_CHARS = 1_000_000;

/** Workflows of earlier versions took back what they had made while runs that others had overtaken could still write. */
const WAITS_FOR_OVERTAKEN_RUNS = 'waits-for-overtaken-runs';

/** Workflows of earlier versions began all shards within one task; those with less input still do. */
const SHARDS_OF_SEVERAL_TASKS = 'shards-of-several-tasks';

/**
 * Runs a step for every shard at once, and returns what each gave. In a scope of its own: when one shard fails for good, the others are
 * cancelled instead of computed in vain, and have ended when this throws. A worker that has died is noticed by its heartbeats. One that is only slow
 * (its disk, its neighbours) does not hold up the rest for long either: what it has not done in time another one may do, and who ends first counts.
 * A step has to bear that: its attempts write files of their own names, and only those of the result are read.
 */
export async function allShards<Done>(count: number, pieces: Pieces<Done>): Promise<Done[]> {
  return CancellationScope.cancellable(async () => {
    const scope = CancellationScope.current();
    const beganMs = Date.now();
    const patience = new CancellationScope();
    let left = count;
    let worked = 0;
    let isAsked = false;
    const oneEnded = (done: Done, piece: number): void => {
      pieces.ended?.(done);
      left -= 1;
      if (pieces.counts?.(done, piece) ?? true) worked += 1;
      if (isAsked || pieces.areAlike === false || left === 0 || worked < left) return;
      isAsked = true;
      if (patched(RUNS_SLOW_PIECES_AGAIN)) void patience.run(runSlowAgain).catch(() => undefined);
    };
    const all: Piece<Done>[] = [];
    const perTask = Math.max(1, Math.floor(MAX_TASK_CHARS / JSON.stringify(pieces.input).length));
    const runSlowAgain = async (): Promise<void> => {
      const tookMs = Date.now() - beganMs;
      await sleep(Math.max(LEAST_PATIENCE_MS, SLOW_TIMES * tookMs) - tookMs, { summary: 'Wait for slow workers' });
      const slow = all.filter((piece) => !piece.hasEnded);
      await inTasks(slow.length, perTask, (place) => slow[place]?.runAgain());
    };
    try {
      await inTasks(count, perTask, (piece) => {
        const ended = (done: Done): void => oneEnded(done, piece);
        all.push(new Piece((isAgain) => pieces.step(piece, isAgain), { ...pieces, ended }));
      });
      return await Promise.all(all.map((piece) => piece.result));
    } catch (error) {
      scope.cancel();
      await Promise.allSettled(all.map((piece) => piece.result));
      throw error;
    } finally {
      patience.cancel();
    }
  });
}

/** Begins work that ends later, so much within a task as a server takes. */
async function inTasks(count: number, perTask: number, begin: (place: number) => void): Promise<void> {
  const areSeveral = count > perTask && patched(SHARDS_OF_SEVERAL_TASKS);
  for (let place = 0; place < count; place += 1) {
    if (areSeveral && place > 0 && place % perTask === 0) await sleep(1, { summary: 'Begin further shards' });
    begin(place);
  }
}

/** Runs of pieces that are cancelled because another run has ended before: until they have ended, too, they may write. */
export class OvertakenRuns {
  readonly #running = new Set<Promise<unknown>>();

  add(run: Promise<unknown>): void {
    const ended = run.catch(() => undefined).finally(() => this.#running.delete(ended));
    this.#running.add(ended);
  }

  /** Returns when all have ended: a worker hears of it with its next heartbeat, and one that sends none is given up. */
  async haveEnded(): Promise<void> {
    if (this.#running.size > 0 && patched(WAITS_FOR_OVERTAKEN_RUNS)) await Promise.all(this.#running);
  }
}

/** A step that is run once or twice, until it has ended once. */
class Piece<Done> {
  /** Fails when no run of it is left that could end. (A trigger of Temporal's would fail as soon as it is cancelled.) */
  readonly result: Promise<Done>;
  #resolve: (done: Done) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  readonly #step: (isAgain: boolean) => Promise<Done>;
  readonly #told: Pick<Pieces<Done>, 'ended' | 'late' | 'overtaken'>;
  readonly #running = new Map<CancellationScope, Promise<Done>>();
  #hasEnded = false;

  constructor(step: (isAgain: boolean) => Promise<Done>, told: Pick<Pieces<Done>, 'ended' | 'late' | 'overtaken'>) {
    this.#step = step;
    this.#told = told;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // One that fails before all are begun is heard of later.
    this.result.catch(() => undefined);
    this.#run(false);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Unless it has ended. */
  runAgain(): void {
    if (!this.#hasEnded) this.#run(true);
  }

  #run(isAgain: boolean): void {
    const scope = new CancellationScope();
    const run = scope.run(() => this.#step(isAgain));
    this.#running.set(scope, run);
    run.then(
      (done) => this.#end(scope, done),
      (error: unknown) => this.#fail(scope, error),
    );
  }

  #end(scope: CancellationScope, done: Done): void {
    this.#running.delete(scope);
    if (this.#hasEnded) return this.#told.late?.(done);
    this.#hasEnded = true;
    for (const [slower, run] of this.#running) {
      slower.cancel();
      this.#told.overtaken?.add(run);
    }
    this.#told.ended?.(done);
    this.#resolve(done);
  }

  #fail(scope: CancellationScope, error: unknown): void {
    this.#running.delete(scope);
    if (this.#hasEnded || this.#running.size > 0) return;
    this.#hasEnded = true;
    this.#reject(error);
  }
}
