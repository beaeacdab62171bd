/**
 * A folder with tables that is put back as it was for every crash point, and processes that die in it: what a run has learned counts
 * only if its step ended, as in the history of a workflow.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import type { Catalog, Clock } from '../../catalogs/index.js';
import { parseTableName, SYSTEM_CLOCK } from '../../catalogs/index.js';
import { MemoryPointers, openMemoryCatalog } from '../../catalogs/memory/memory-catalog.js';
import { type Engine, openEngine, readableScanSql } from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import { fileToOpen, openFiles } from '../../scans/index.js';
import type { FileIO } from '../../storage/index.js';
import { loadTable, planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import { type Access, type Gate, OPEN_GATE } from '../simulation/gate.js';
import { allPoints, type CrashPoint, GatedFileIO, gatedEngine, Killed, ProcessBoundary } from './crash-points.js';
import { type CrashStore, filesOf, objectsOf } from './crash-store.js';
import { type S3Server, startMinio } from './s3-server.js';

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

/**
 * Opens the labs of a file of tests, each with a store of its own; they are closed when their test has finished. Call it at the top of the file.
 * @param place unless given files, or S3 with `MORAINE_CRASH_STORE=s3`
 */
export function crashLabs(
  place: 'files' | 'S3' = process.env['MORAINE_CRASH_STORE'] === 's3' ? 'S3' : 'files',
): () => Promise<CrashLab> {
  let server: S3Server | undefined;
  if (place === 'S3') {
    beforeAll(async () => {
      server = await startMinio();
    });
    afterAll(() => server?.close());
  }
  return async () => {
    const bucket = `crash-${randomUUID()}`;
    await server?.makeBucket(bucket);
    const lab = await CrashLab.open((folder) =>
      server === undefined ? filesOf(folder) : objectsOf(server, bucket, folder),
    );
    onTestFinished(() => lab.close());
    return lab;
  };
}

/** The rows of a query over `rows`, which are those of a table. */
export async function rowsOf({ engine }: CrashSite, table: Table, select: string): Promise<unknown[][]> {
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const { files } = await planFiles(table, { schema, snapshot, appliesDeletes: true });
  return await engine.withConnection(async (connection) => {
    const opened = await openFiles(connection, table, files.map(fileToOpen));
    const scan = await readableScanSql(connection, { schema, ...opened });
    return await connection.rows(`WITH rows AS (SELECT * FROM ${scan}) ${select}`);
  });
}

/** A run, step by step. It is called again with another site, and the same history, when its process has died. */
export type CrashingRun = (site: CrashSite, history: StepHistory) => Promise<void>;

export class CrashLab {
  readonly folder: string;
  readonly #store: CrashStore;
  readonly #engine: Engine;
  readonly #pointers = new MemoryPointers();
  #saved: MemoryPointers | undefined;

  private constructor(folder: string, store: CrashStore, engine: Engine) {
    this.folder = folder;
    this.#store = store;
    this.#engine = engine;
  }

  /** @param storeIn makes its store, with a folder for files of this machine */
  static async open(storeIn: (folder: string) => CrashStore): Promise<CrashLab> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'moraine-crash-')));
    const engine = await openEngine({
      memoryLimitBytes: 256 * 2 ** 20,
      threads: 1,
      tempDirectory: join(folder, 'tmp'),
      allowedDirectories: [folder],
    });
    return new CrashLab(folder, storeIn(folder), engine);
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The tables as a process sees them whose accesses pass this gate. */
  site(gate: Gate = OPEN_GATE): CrashSite {
    const io = new GatedFileIO(this.#store.open(), gate);
    const catalog = openMemoryCatalog({
      name: 'simulated',
      pointers: this.#pointers,
      io,
      warehouse: this.#store.warehouse,
      reach: gate,
      clock: HASTY_CLOCK,
    });
    const load = (name: string) => loadTable(catalog, io, parseTableName(name).identifier);
    return { catalog, io, engine: gatedEngine(this.#engine, gate), loadTable: load };
  }

  /** Remembers everything as it is now. */
  async save(): Promise<void> {
    await this.#store.save();
    this.#saved = this.#pointers.copy();
  }

  /** Puts everything back as it was saved. */
  async restore(): Promise<void> {
    if (this.#saved === undefined) throw new Error('nothing was saved');
    await this.#store.restore();
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
        await first.settled();
        return first;
      } catch (error) {
        if (!boundary.isDead && !isPassing(error)) throw error;
        await first.settled();
      }
    }
    throw new Error(`the run did not end in ${MAX_PROCESSES} processes`);
  }

  /**
   * Saves everything as it is, runs once without fault, and then once for every point of that run, each time from what was saved.
   * @param expectWhole checks what must hold after every run
   * @param isPoint which accesses count; all of them, unless given
   * @param every so many-th of their points is tried
   * @returns how many were
   */
  async survive(
    run: CrashingRun,
    expectWhole: () => Promise<void>,
    {
      isPoint = () => true,
      every = 1,
    }: { readonly isPoint?: (access: Access) => boolean; readonly every?: number } = {},
  ): Promise<number> {
    await this.save();
    await this.restore();
    const { accesses } = await this.run(run, null);
    await expectWhole();
    const all = allPoints(accesses).filter(({ number }) => isPoint(accesses[number - 1] as Access));
    const points = all.filter((_, index) => index % every === 0);
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
}

/** Errors that a workflow retries. */
function isPassing(error: unknown): boolean {
  return error instanceof Killed || (isMoraineError(error) && error.retryable);
}
