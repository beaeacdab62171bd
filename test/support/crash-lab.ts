/**
 * A folder with tables that is put back as it was for every crash point, and processes that die in it: what a run has learned counts
 * only if its step ended, as in the history of a workflow.
 */
import { cp, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog, Clock } from '../../catalogs/index.js';
import { parseTableName, SYSTEM_CLOCK } from '../../catalogs/index.js';
import { MemoryPointers, openMemoryCatalog } from '../../catalogs/memory/memory-catalog.js';
import { type Engine, openEngine } from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import { type FileIO, LocalFileIO } from '../../storage/index.js';
import { loadTable, type Table } from '../../tables/index.js';
import { type Access, type Gate, OPEN_GATE } from '../simulation/gate.js';
import { allPoints, type CrashPoint, GatedFileIO, gatedEngine, Killed, ProcessBoundary } from './crash-points.js';

/** Waits of retries are not waited for. */
const HASTY_CLOCK: Clock = { ...SYSTEM_CLOCK, sleep: () => Promise.resolve() };
const MAX_PROCESSES = 10;

/** The means of one process. */
export interface CrashSite {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  loadTable(name: string): Promise<Table>;
}

/** The steps of a run that have ended, with their results: all that is left of a process that died. */
export class StepHistory {
  readonly #results = new Map<string, unknown>();
  /** The process at work. */
  boundary: ProcessBoundary | undefined;

  async step<T>(name: string, run: () => Promise<T>): Promise<T> {
    if (this.#results.has(name)) return this.#results.get(name) as T;
    const result = await run();
    if (this.boundary?.isDead === true) throw new Killed(); // a dead process reports nothing
    this.#results.set(name, result);
    return result;
  }

  /** The run is planned anew. */
  clear(): void {
    this.#results.clear();
  }
}

/** A run, step by step. It is called again with another site, and the same history, when its process has died. */
export type CrashingRun = (site: CrashSite, history: StepHistory) => Promise<void>;

export class CrashLab {
  readonly folder: string;
  readonly #engine: Engine;
  readonly #pointers = new MemoryPointers();
  #saved: MemoryPointers | undefined;

  private constructor(folder: string, engine: Engine) {
    this.folder = folder;
    this.#engine = engine;
  }

  static async open(): Promise<CrashLab> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'moraine-crash-')));
    const engine = await openEngine({
      memoryLimitBytes: 256 * 2 ** 20,
      threads: 1,
      tempDirectory: join(folder, 'tmp'),
      allowedDirectories: [folder],
    });
    return new CrashLab(folder, engine);
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The tables as a process sees them whose accesses pass this gate. */
  site(gate: Gate = OPEN_GATE): CrashSite {
    const io = new GatedFileIO(new LocalFileIO({ roots: [this.folder] }), gate);
    const catalog = openMemoryCatalog({
      name: 'simulated',
      pointers: this.#pointers,
      io,
      warehouse: this.#warehouse,
      reach: gate,
      clock: HASTY_CLOCK,
    });
    const load = (name: string) => loadTable(catalog, io, parseTableName(name).identifier);
    return { catalog, io, engine: gatedEngine(this.#engine, gate), loadTable: load };
  }

  /** Remembers everything as it is now. */
  async save(): Promise<void> {
    await cp(this.#warehouse, `${this.#warehouse}.saved`, { recursive: true });
    this.#saved = this.#pointers.copy();
  }

  /** Puts everything back as it was saved. Files have new times, so that caches know none of them, as in a new process. */
  async restore(): Promise<void> {
    if (this.#saved === undefined) throw new Error('nothing was saved');
    await rm(this.#warehouse, { recursive: true, force: true });
    await cp(`${this.#warehouse}.saved`, this.#warehouse, { recursive: true });
    this.#pointers.become(this.#saved);
  }

  /** Runs to the end, through as many processes as it takes. @returns the accesses of the first process */
  async run(run: CrashingRun, point: CrashPoint | null): Promise<ProcessBoundary> {
    const history = new StepHistory();
    const first = new ProcessBoundary(point);
    for (let processes = 0; processes < MAX_PROCESSES; processes++) {
      const boundary = processes === 0 ? first : new ProcessBoundary(null);
      history.boundary = boundary;
      try {
        await run(this.site(boundary.gate), history);
        await first.late().catch(() => undefined);
        return first;
      } catch (error) {
        if (!boundary.isDead && !isPassing(error)) throw error;
        await first.late().catch(() => undefined);
      }
    }
    throw new Error(`the run did not end in ${MAX_PROCESSES} processes`);
  }

  /**
   * Saves everything as it is, runs once without fault, and then once for every point of that run, each time from what was saved.
   * @param expectWhole checks what must hold after every run
   * @param isPoint which accesses count; all of them, unless given
   * @returns how many points there were
   */
  async survive(
    run: CrashingRun,
    expectWhole: () => Promise<void>,
    isPoint: (access: Access) => boolean = () => true,
  ): Promise<number> {
    await this.save();
    await this.restore();
    const { accesses } = await this.run(run, null);
    await expectWhole();
    const points = allPoints(accesses).filter(({ number }) => isPoint(accesses[number - 1] as Access));
    for (const point of points) {
      await this.restore();
      try {
        await this.run(run, point);
        await expectWhole();
      } catch (error) {
        const { operation, target } = accesses[point.number - 1] ?? { operation: '', target: '' };
        throw new Error(`${point.fault} access ${point.number}, ${operation} ${target}`, { cause: error });
      }
    }
    return points.length;
  }

  get #warehouse(): string {
    return join(this.folder, 'warehouse');
  }
}

/** Errors that a workflow retries. */
function isPassing(error: unknown): boolean {
  return error instanceof Killed || (isMoraineError(error) && error.retryable);
}
