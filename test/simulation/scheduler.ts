/**
 * One seed, one run: workers are asynchronous tasks that reach storage and catalog through a gate. An access waits at the gate until
 * the scheduler picks it, in any order, and decides its fate: it takes place, fails, loses its answer, takes place late or twice;
 * or its worker dies. Time passes only here.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import type { Random } from '../worlds/random.js';
import { type Access, type Gate, isWrite } from './gate.js';

/** How likely each fault is, per access that the scheduler picks. */
export interface Faults {
  /** Nothing happens and the caller is told. */
  readonly failure: number;
  /** A write takes place, and the caller hears an error. */
  readonly lostAnswer: number;
  /** A write takes place some time after the caller has heard an error. */
  readonly late: number;
  /** A write takes place again later. */
  readonly duplicate: number;
  /** The worker dies; what it had asked for may still take place. */
  readonly crash: number;
}

interface Waiting {
  readonly worker: Worker;
  readonly access: Access;
  readonly apply: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Timer {
  readonly worker: Worker;
  readonly dueMs: number;
  readonly fire: () => void;
}

/** A write that nobody waits for any more. */
interface Late {
  readonly access: Access;
  readonly apply: () => unknown;
  readonly dropAfterMs: number;
}

/** A process that may die. Everything that it still awaits then stays open for ever. */
export interface Worker {
  readonly name: string;
  readonly gate: Gate;
  readonly clock: Clock;
  isAlive: boolean;
}

/** A write that has not taken place by then never does: requests do not travel for ever. */
const LATEST_MS = 30_000;
const LONGEST_STEP_MS = 40;
const MAX_STEPS = 50_000;
const TRACE_LINES = 10_000;

export class Scheduler {
  readonly random: Random;
  readonly #faults: Faults;
  readonly #trace: string[] = [];
  #waiting: Waiting[] = [];
  #timers: Timer[] = [];
  #late: Late[] = [];
  #running = 0;
  #failure: { readonly error: unknown } | undefined;
  /** Decisions so far. */
  steps = 0;
  /** Milliseconds since 1970, by the storage's clock. */
  nowMs = 1_700_000_000_000;
  /** Called when a worker dies by a fault. */
  onCrash: (worker: Worker) => void = () => undefined;

  constructor(random: Random, faults: Faults) {
    this.random = random;
    this.#faults = faults;
  }

  /** The events so far, one line for each step; equal runs have equal traces. */
  get trace(): readonly string[] {
    return this.#trace;
  }

  note(line: string): void {
    if (this.#trace.length < TRACE_LINES) this.#trace.push(`${this.nowMs - 1_700_000_000_000} ${line}`);
  }

  /** Starts a worker. What `main` throws ends the simulation. */
  start(name: string, skewMs: number, main: (worker: Worker) => Promise<void>): void {
    const worker: Worker = {
      name,
      isAlive: true,
      gate: (access, apply) => this.#wait(worker, access, apply),
      clock: this.#clockOf(() => worker, skewMs),
    };
    this.#running += 1;
    main(worker).then(
      () => {
        if (worker.isAlive) this.#running -= 1;
        worker.isAlive = false;
      },
      (error: unknown) => {
        if (worker.isAlive) this.#failure ??= { error };
      },
    );
  }

  kill(worker: Worker): void {
    if (!worker.isAlive) return;
    worker.isAlive = false;
    this.#running -= 1;
    this.note(`${worker.name} dies`);
    for (const { access, apply } of this.#waiting.filter((waiting) => waiting.worker === worker)) {
      if (isWrite(access) && this.random.chance(0.5)) this.#addLate(access, apply);
    }
    this.#waiting = this.#waiting.filter((waiting) => waiting.worker !== worker);
    this.#timers = this.#timers.filter((timer) => timer.worker !== worker);
  }

  /** Runs until every worker has ended. */
  async run(): Promise<void> {
    for (; this.steps < MAX_STEPS; this.steps++) {
      await turn();
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#running === 0) return this.#endLate();
      this.#step();
    }
    throw new Error(`the simulation does not come to rest: ${this.#trace.slice(-20).join('\n')}`);
  }

  #wait<T>(worker: Worker, access: Access, apply: () => T | Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (worker.isAlive) this.#waiting.push({ worker, access, apply, resolve, reject });
    });
  }

  #clockOf(worker: () => Worker, skewMs: number): Clock {
    return {
      nowMs: () => this.nowMs + skewMs,
      monotonicMs: () => this.nowMs,
      random: () => this.random.int(0, 2 ** 20 - 1) / 2 ** 20,
      sleep: (ms) =>
        new Promise<void>((resolve) => {
          if (worker().isAlive)
            this.#timers.push({ worker: worker(), dueMs: this.nowMs + Math.ceil(ms), fire: resolve });
        }),
    };
  }

  #step(): void {
    this.nowMs += this.random.int(0, LONGEST_STEP_MS);
    if (this.#late.length > 0 && this.random.chance(0.2)) return this.#applyLate();
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.nowMs);
    if (due.length > 0 && (this.#waiting.length === 0 || this.random.chance(0.3)))
      return this.#fire(this.random.pick(due));
    if (this.#waiting.length > 0) return this.#decide(this.#take());
    const [next] = this.#timers.toSorted((a, b) => a.dueMs - b.dueMs);
    if (next === undefined) throw new Error('every worker waits for nothing');
    this.nowMs = Math.max(this.nowMs, next.dueMs);
    this.#fire(next);
  }

  #fire(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
    timer.fire();
  }

  #take(): Waiting {
    const index = this.random.int(0, this.#waiting.length - 1);
    const [taken] = this.#waiting.splice(index, 1);
    if (taken === undefined) throw new Error('nothing waits');
    return taken;
  }

  #decide(waiting: Waiting): void {
    const { worker, access, reject } = waiting;
    const faults = this.#faults;
    const isWriting = isWrite(access);
    const fate = this.random.weighted<() => void>([
      [faults.failure, () => reject(failure(access))],
      [isWriting ? faults.lostAnswer : 0, () => this.#loseAnswer(waiting)],
      [isWriting ? faults.late : 0, () => this.#postpone(waiting)],
      [isWriting ? faults.duplicate : 0, () => this.#repeat(waiting)],
      [faults.crash, () => this.#crash(waiting)],
      [1, () => this.#apply(waiting)],
    ]);
    this.note(`${worker.name} ${access.operation} ${access.target}`);
    fate();
  }

  #apply({ apply, resolve, reject }: Waiting): void {
    try {
      resolve(apply() as never);
    } catch (error) {
      reject(error);
    }
  }

  #loseAnswer({ access, apply, reject }: Waiting): void {
    this.note('  answer lost');
    attempt(apply);
    reject(unknownOutcome(access));
  }

  #postpone({ access, apply, reject }: Waiting): void {
    this.note('  late');
    this.#addLate(access, apply);
    reject(unknownOutcome(access));
  }

  #repeat(waiting: Waiting): void {
    this.note('  twice');
    this.#addLate(waiting.access, waiting.apply);
    this.#apply(waiting);
  }

  /** Dies before or after what it asks for. */
  #crash({ worker, access, apply }: Waiting): void {
    if (isWrite(access) && this.random.chance(0.5)) attempt(apply);
    this.kill(worker);
    this.onCrash(worker);
  }

  #addLate(access: Access, apply: () => unknown): void {
    this.#late.push({ access, apply, dropAfterMs: this.nowMs + LATEST_MS });
  }

  #applyLate(): void {
    const [late] = this.#late.splice(this.random.int(0, this.#late.length - 1), 1);
    if (late === undefined || late.dropAfterMs < this.nowMs) return;
    this.note(`late ${late.access.operation} ${late.access.target}`);
    attempt(late.apply);
  }

  #endLate(): void {
    while (this.#late.length > 0) this.#applyLate();
  }
}

/** Applies an access whose outcome nobody hears. */
function attempt(apply: () => unknown): void {
  // The caller has given up.
  const ignore = (): void => undefined;
  try {
    Promise.resolve(apply()).catch(ignore);
  } catch {
    ignore();
  }
}

const ofCatalog = ({ operation }: Access): boolean => operation === 'ask' || operation === 'change';

/** The error of an access that certainly did not take place. */
function failure(access: Access): MoraineError {
  const code = ofCatalog(access) ? 'CATALOG_UNAVAILABLE' : 'STORAGE_UNAVAILABLE';
  return new MoraineError(code, `Simulated: ${access.operation} ${access.target} failed.`);
}

/** The error of an access that may have taken place. Storage tells no difference: its files have names of their own. */
function unknownOutcome(access: Access): MoraineError {
  return ofCatalog(access)
    ? new MoraineError('COMMIT_STATE_UNKNOWN', 'Simulated: no answer from the catalog.')
    : failure(access);
}
