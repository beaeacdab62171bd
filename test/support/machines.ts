/** Machines with disks of their own that share a store and a catalog, and the work that they do together. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { readableScanSql } from '../../engine/index.js';
import { sweepOrphans } from '../../maintenance/index.js';
import { filesOfTable } from '../../maintenance/sweep/table-files.js';
import { maintenanceDeps, openProject, type Project } from '../../project/index.js';
import { fileToOpen, openFiles } from '../../scans/index.js';
import { listFiles } from '../../storage/index.js';
import { planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import { jsonLines, moraine } from './cli.js';
import { temporaryFolder } from './temp-folder.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';

export const VIEW = 'customer_activity';
export const SOURCE = 'shop.customer_orders';
export const ONLINE = `moraine_online.${VIEW}`;
/** Rows that an append adds. */
export const ROWS = 160;

type Environment = Readonly<Record<string, string | undefined>>;

/** A machine: a folder with the configuration, and through it the catalog and the store. */
export interface Machine {
  readonly folder: string;
  readonly run: (...args: string[]) => Promise<string>;
}

/** @param config `moraine.yaml`; unless given that of a project of files */
export async function machineOf(config: string | undefined, env: Environment): Promise<Machine> {
  const folder = temporaryFolder();
  const run = async (...args: string[]): Promise<string> => {
    const result = await moraine(args, { cwd: folder, env });
    expect(result.code, `moraine ${args.join(' ')}: ${result.stderr}`).toBe(0);
    return result.stdout;
  };
  await run('init', '.');
  if (config !== undefined) writeFileSync(join(folder, 'moraine.yaml'), config);
  return { folder, run };
}

export const append = (machine: Machine, ...options: string[]): Promise<string> =>
  machine.run('table', 'append', SOURCE, 'data/customer_orders.csv', ...options);

/** The source table with its first rows, and the definitions. */
export async function begin(machine: Machine): Promise<void> {
  await append(machine, '--create', '--partition', 'month(event_ts)');
  await machine.run('apply');
}

/** The answers of a project, once everything has been done. */
export async function answersOf({ run }: Machine) {
  const online = [];
  for (const customer of [1, 3, 4, 99]) {
    const entity = ['--entity', `customer_id=${customer}`, '--at', '2026-01-31'];
    online.push(await run('online', 'get', VIEW, ...entity));
  }
  const rows = jsonLines(await run('table', 'scan', SOURCE)).map((row) => JSON.stringify(row));
  return {
    online,
    historical: await run('features', 'historical', '--features', 'churn_model', '--entities', 'data/entities.csv'),
    rows: rows.toSorted(),
  };
}

/** The answers of one machine with files that has appended so often. */
export async function answersOfOne(appends: number) {
  const single = await machineOf(undefined, { TEMPORAL_ADDRESS: undefined });
  await begin(single);
  for (let done = 1; done < appends; done += 1) await append(single);
  await single.run('materialize', VIEW);
  return await answersOf(single);
}

/** One round of the work, all of it at a time. @param round from 0 */
export async function workTogether({ run }: Machine, round: number): Promise<void> {
  const range = ['--start', `2026-01-0${1 + round}`, '--end', `2026-01-${10 + round}`, '--step', '1d'];
  await Promise.all([
    run('materialize', VIEW, '--wait'),
    run('backfill', VIEW, ...range, '--wait'),
    run('compact', SOURCE, '--strategy', 'binpack', '--wait'),
    run('maintain', SOURCE, '--older-than', '1d', '--orphans-older-than', '3d', '--wait'),
  ]);
}

/** Workers on machines that nobody used before; they end with the test. */
export class Workers {
  readonly all: WorkerProcess[] = [];
  /** Rejects when a worker ends that nobody has ended. */
  readonly ended: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  readonly #running: WorkerProcess[] = [];
  readonly #config: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(config: string, env: Readonly<Record<string, string>>) {
    this.#config = config;
    this.#env = env;
    this.ended = new Promise((_, reject) => (this.#fail = reject));
    this.ended.catch(() => undefined);
    onTestFinished(async () => {
      for (const worker of this.all) worker.kill('SIGKILL');
      await Promise.all(this.all.map(({ ended }) => ended));
    });
  }

  /** Starts one, again if it ends at once: its catalog or store may be out of reach at that moment. */
  async start(): Promise<void> {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'moraine.yaml'), this.#config);
    const start = () => startWorkerProcess(folder, ['worker'], this.#env);
    const worker = await start().catch(start).catch(start);
    this.all.push(worker);
    this.#running.push(worker);
    void worker.ended.then(({ code, signal }) => {
      if (this.#running.includes(worker)) {
        this.#fail(new Error(`a worker ended by itself (${code ?? signal}): ${worker.errors()}`));
      }
    });
  }

  /** Kills the oldest one; another one takes its place. */
  async replaceOldest(): Promise<void> {
    this.#running.shift()?.kill('SIGKILL');
    await this.start();
  }

  async stop(): Promise<void> {
    const running = this.#running.splice(0);
    for (const worker of running) worker.kill('SIGTERM');
    await Promise.all(running.map(({ ended }) => ended));
  }
}

/** The project of a machine in this process, until the test has finished. Variables of its configuration must be set here, too. */
export async function projectOf({ folder }: Machine): Promise<Project> {
  const project = await openProject({ cwd: folder });
  onTestFinished(() => project.close());
  return project;
}

/** How many rows a table has, and the sum of their hashes: the same for equal rows, however they lie in files. */
interface Digest {
  readonly rows: bigint;
  readonly sum: bigint;
}

/** @param snapshotId the current one unless given */
export async function digestOf(project: Project, table: Table, snapshotId?: bigint): Promise<Digest> {
  const { schema, snapshot } = selectSnapshot(table.metadata, snapshotId === undefined ? {} : { snapshotId });
  const { files } = await planFiles(table, { schema, snapshot, appliesDeletes: true });
  const engine = await project.engine();
  return await engine.withConnection(async (connection) => {
    const opened = await openFiles(connection, table, files.map(fileToOpen));
    const scan = await readableScanSql(connection, { schema, ...opened });
    const columns = schema.fields.map(({ name }) => `"${name}"`).join(', ');
    const sql = `SELECT count(*), coalesce(sum(hash(${columns})::HUGEINT), 0)::HUGEINT FROM ${scan}`;
    const [[rows, sum] = []] = await connection.rows(sql);
    return { rows: rows as bigint, sum: sum as bigint };
  });
}

const PAUSE_MS = 100;

/**
 * A reader that looks again and again while the table is appended to, compacted and maintained. At every moment it must hold the rows of
 * whole appends: of all that have ended, and of some that have begun.
 */
export class Reader {
  readonly #project: Project;
  readonly #once: Digest;
  readonly #done: Promise<number>;
  #begun = 1;
  #ended = 1;
  #isStopped = false;

  private constructor(project: Project, once: Digest) {
    this.#project = project;
    this.#once = once;
    this.#done = this.#look();
    this.#done.catch(() => undefined);
  }

  /** Begins when there is one append. */
  static async start(project: Project): Promise<Reader> {
    const once = await digestOf(project, await project.loadTable(SOURCE));
    expect(once.rows).toBe(BigInt(ROWS));
    return new Reader(project, once);
  }

  async append(append: () => Promise<unknown>): Promise<void> {
    this.#begun += 1;
    await append();
    this.#ended += 1;
  }

  async #look(): Promise<number> {
    const { rows, sum } = this.#once;
    let looks = 0;
    for (; !this.#isStopped; looks += 1) {
      const least = this.#ended;
      const found = await digestOf(this.#project, await this.#project.loadTable(SOURCE));
      const appends = found.rows / rows;
      expect(found).toEqual({ rows: rows * appends, sum: sum * appends });
      expect(Number(appends)).toBeGreaterThanOrEqual(least);
      expect(Number(appends)).toBeLessThanOrEqual(this.#begun);
      await sleep(PAUSE_MS);
    }
    return looks;
  }

  /** @returns how often it has looked */
  async stop(): Promise<number> {
    this.#isStopped = true;
    return await this.#done;
  }
}

/** Sweeps what dead runs have left. Afterwards every file of the table's folder is one that the table names. */
export async function expectNothingBesides(project: Project, name: string): Promise<void> {
  await sleep(1100); // the store's clock ticks in seconds
  await sweepOrphans(maintenanceDeps(project), name, { olderThanMs: 0n, allowYoung: true });
  const table = await project.loadTable(name);
  const named = new Set<string>();
  for await (const { location } of filesOfTable(table)) named.add(location);
  const listed: string[] = [];
  for await (const { location } of listFiles(table.io, table.metadata.location)) listed.push(location);
  expect(listed.length).toBeGreaterThan(3);
  expect(listed.filter((location) => !named.has(location))).toEqual([]);
}
