/**
 * A program with checkpoints of its own that uses the library's `snapshot`, `commit` and `restore`, killed with SIGKILL before, within, between and after its checkpoints
 * and at random accesses (or requests), and started again from the last checkpoint that it has, now and then an older one: each record is in the table once, each batch in
 * one snapshot.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { expect, onTestFinished } from 'vitest';
import { currentSchema, type Snapshot } from '../../iceberg/index.js';
import type { IcebergSinkConfig } from '../../index.js';
import { openProject, type Project } from '../../project/index.js';
import type { SinkSnapshot } from '../../sink/index.js';
import { planFiles, type Table } from '../../tables/index.js';
import { Random } from '../worlds/random.js';
import { DIST } from './cli.js';
import { seed as askedSeed } from './environment.js';
import { projectRoot } from './paths.js';
import { KILL_AT_ACCESS, LOCAL_CONFIG } from './sink-kills.js';
import { schemaOf } from './table-world.js';
import { temporaryFolder } from './temp-folder.js';

const PROGRAM = join(projectRoot, 'test/support/checkpoint-host.mjs');
const TABLE = 'iot.uplinks';
const PARTITIONS = ['a', 'b'] as const;
/** Ids of the second partition begin here. */
const SECOND = 1_000_000;
/** Lines of each partition that the host gets before each start. */
const LINES = 30;
/** What the host comes to, again and again. */
const MOMENTS = ['read', 'staged', 'half-saved', 'saved', 'committed'] as const;

/** Where a host and its table are, and where its records come from. */
export interface CheckpointPlace {
  /** For what is printed. */
  readonly name: string;
  /** `moraine.yaml` */
  readonly config: string;
  /** The same for the library's sink. @param folder the host's */
  readonly catalog: (
    folder: string,
  ) => Pick<IcebergSinkConfig, 'catalogUri' | 'catalogType' | 'warehousePath' | 'storage'>;
  /** Whether files and catalog are those of this machine; else requests are counted. */
  readonly isLocal: boolean;
  /** A topic that the host consumes; else it reads files. */
  readonly topic?: { readonly brokers: readonly string[]; readonly name: string };
  /** Gives the source lines. @param partition its number */
  readonly offer: (folder: string, partition: number, lines: string) => Promise<unknown>;
}

/** Table and catalog are in the host's folder. */
export const ON_FILES = {
  config: LOCAL_CONFIG,
  isLocal: true,
  catalog: (folder) => ({ catalogUri: join(folder, 'catalog.db'), warehousePath: join(folder, 'warehouse') }),
} satisfies Partial<CheckpointPlace>;

/** The lines of a partition are a file of the folder. */
export const FROM_FILES = {
  offer: (folder, partition, lines) => appendFile(join(folder, `${PARTITIONS[partition]}.ndjson`), lines),
} satisfies Partial<CheckpointPlace>;

type Death = { readonly MORAINE_DIE_AT: string } | { readonly MORAINE_KILL_AT: string };

/** The project of a host, with its source and its checkpoints. */
class HostFolder {
  readonly path = temporaryFolder();
  readonly #place: CheckpointPlace;
  /** Lines of each partition. */
  lines = 0;

  constructor(place: CheckpointPlace) {
    this.#place = place;
    writeFileSync(join(this.path, 'moraine.yaml'), place.config);
  }

  /** @returns whether it was killed, and the last moment that it had come to */
  async run(death: Death | { readonly MORAINE_ACCESS_COUNT: string } | undefined, seed: number) {
    const marker = join(this.path, 'killed');
    rmSync(marker, { force: true });
    const { isLocal, catalog, topic } = this.#place;
    const env = {
      ...process.env,
      ...{ NODE_OPTIONS: `--import ${KILL_AT_ACCESS}`, MORAINE_FAULT_MARKER: marker },
      ...(isLocal ? { MORAINE_ACCESS_ROOT: this.path } : {}),
      ...death,
    };
    const args = [PROGRAM, DIST, this.path, `${seed}`, JSON.stringify({ catalog: catalog(this.path), topic })];
    return await new Promise<{ readonly isKilled: boolean; readonly moment: string }>((resolve, reject) => {
      const child = execFile(process.execPath, args, { env }, (_, stdout, stderr) => {
        const isKilled = child.signalCode === 'SIGKILL';
        if (!isKilled && child.exitCode !== 0) reject(new Error(`the host ended with ${child.exitCode}: ${stderr}`));
        else resolve({ isKilled, moment: stdout.trim().split('\n').at(-1) ?? '' });
      });
    });
  }

  async offer(): Promise<void> {
    for (const index of PARTITIONS.keys()) {
      const ids = Array.from({ length: LINES }, (_, line) => index * SECOND + this.lines + line);
      await this.#place.offer(this.path, index, ids.map((id) => `${JSON.stringify({ id })}\n`).join(''));
    }
    this.lines += LINES;
  }

  /** Loses the newest checkpoint, if there is one before it. */
  loseNewest(): boolean {
    const folder = join(this.path, 'checkpoints');
    const numbers = this.#checkpointsIn('checkpoints').map((name) => Number(name.replace('.json', '')));
    if (numbers.length < 2) return false;
    const newest = Math.max(...numbers);
    mkdirSync(join(this.path, 'lost'), { recursive: true });
    const name = `${newest}-${readdirSync(join(this.path, 'lost')).length}.json`;
    renameSync(join(folder, `${newest}.json`), join(this.path, 'lost', name));
    return true;
  }

  /** Batches of all checkpoints that there ever were. */
  batches(): readonly SinkSnapshot['batches'][number][] {
    return ['checkpoints', 'lost'].flatMap((folder) =>
      this.#checkpointsIn(folder).flatMap((name) => {
        const text = readFileSync(join(this.path, folder, name), 'utf8');
        return (JSON.parse(text) as { readonly sinkState: SinkSnapshot }).sinkState.batches;
      }),
    );
  }

  #checkpointsIn(name: string): readonly string[] {
    const folder = join(this.path, name);
    return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
  }
}

/** Ids of the rows of snapshots, past our own scan and engine; each file is read once. */
class SnapshotIds {
  readonly #project: Project;
  readonly #copy: string;
  readonly #ofFiles = new Map<string, readonly number[]>();
  #connection: DuckDBConnection | undefined;

  /** @param folder where a file of a store is copied to */
  constructor(project: Project, folder: string) {
    this.#project = project;
    this.#copy = join(folder, 'copy.parquet');
  }

  /** In order. */
  async of(table: Table, snapshot: Snapshot): Promise<readonly number[]> {
    const { files } = await planFiles(table, { snapshot, schema: currentSchema(table.metadata) });
    const ids: number[] = [];
    for (const { file } of files) {
      const known = this.#ofFiles.get(file.filePath) ?? (await this.#read(file.filePath));
      this.#ofFiles.set(file.filePath, known);
      ids.push(...known);
    }
    return ids.sort((one, other) => one - other);
  }

  async #read(location: string): Promise<readonly number[]> {
    writeFileSync(this.#copy, await this.#project.io.read(location));
    this.#connection ??= await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
    const found = await this.#connection.runAndReadAll(`SELECT id FROM read_parquet('${this.#copy}')`);
    return found.getRows().map(([id]) => Number(id));
  }
}

/**
 * Each snapshot has of each partition its first records, and what it has more than the one before is a batch of a checkpoint, whole.
 * @returns how many batches there are
 */
async function expectBatches(project: Project, host: HostFolder, snapshotIds: SnapshotIds): Promise<number> {
  const table = await project.loadTable(TABLE);
  const staged = new Set(host.batches().map(({ ranges }) => rangesText(ranges)));
  let [before, batches] = [[0, 0], 0];
  for (const snapshot of table.metadata.snapshots) {
    const ids = await snapshotIds.of(table, snapshot);
    const counts = PARTITIONS.map((_, index) => ids.filter((id) => Math.floor(id / SECOND) === index).length);
    expect(ids).toEqual(
      counts.flatMap((count, index) => Array.from({ length: count }, (_, line) => index * SECOND + line)),
    );
    if (counts.join() === before.join()) {
      expect(snapshot.summary.get('added-records') ?? '0').toBe('0');
      continue;
    }
    const ranges = PARTITIONS.map((partition, index) => {
      return { partition, from: `${before[index]}`, to: `${counts[index]}` };
    });
    expect([...staged]).toContain(rangesText(ranges));
    [before, batches] = [counts, batches + 1];
  }
  expect(before).toEqual([host.lines, host.lines]);
  return batches;
}

const rangesText = (
  ranges: readonly { readonly partition: string; readonly from: string; readonly to: string }[],
): string =>
  ranges
    .filter(({ from, to }) => from !== to)
    .map(({ partition, from, to }) => `${partition} ${from} ${to}`)
    .toSorted()
    .join(', ');

/** Every moment, twice if there are kills enough, and accesses in the middles of equal parts of a run, in random order. */
function deaths(kills: number, accesses: number, random: Random): readonly Death[] {
  const times = kills < 3 * MOMENTS.length ? () => [random.int(1, 2)] : () => [1, 2];
  const atMoments = MOMENTS.flatMap((moment) => times().map((time) => ({ MORAINE_DIE_AT: `${moment} ${time}` })));
  const others = Math.max(1, kills - atMoments.length);
  const atAccesses = Array.from({ length: others }, (_, index) => ({
    MORAINE_KILL_AT: `${Math.ceil(((index + 0.5) * accesses) / others)}`,
  }));
  return random.shuffle([...atMoments, ...atAccesses]);
}

/** Kills a host so many times: each record is in the table once, each batch in one snapshot. */
export async function expectCheckpointsSurvived(place: CheckpointPlace, kills: number): Promise<void> {
  const host = new HostFolder(place);
  const project = await openProject({ cwd: host.path });
  onTestFinished(() => project.close());
  const { catalog, identifier } = await project.resolveTable(TABLE);
  await catalog.createNamespace(identifier.namespace);
  await catalog.createTable(identifier, { schema: schemaOf({ id: 'long' }) });
  const random = new Random(`checkpoints ${askedSeed ?? 1}`);
  const seed = () => random.int(0, 2 ** 31);
  const snapshotIds = new SnapshotIds(project, host.path);
  const check = () => expectBatches(project, host, snapshotIds);

  await host.offer();
  const counted = join(host.path, 'accesses');
  expect(await host.run({ MORAINE_ACCESS_COUNT: counted }, seed())).toEqual({ isKilled: false, moment: 'committed' });
  await check();
  const accesses = Number(readFileSync(counted, 'utf8'));
  const diedAfter = new Map<string, number>();
  let [killed, lost] = [0, 0];
  for (const death of deaths(kills, accesses, random)) {
    await host.offer();
    const { isKilled, moment } = await host.run(death, seed());
    if (isKilled) {
      killed += 1;
      diedAfter.set(moment, (diedAfter.get(moment) ?? 0) + 1);
    }
    if (random.chance(0.25) && host.loseNewest()) lost += 1;
  }
  expect((await host.run(undefined, seed())).isKilled).toBe(false);
  const batches = await check();
  const where = [...diedAfter].map(([moment, times]) => `${times} after "${moment}"`).join(', ');
  process.stdout.write(
    `host with checkpoints, ${place.name}: killed ${killed} times (${where}) at accesses up to ${accesses}, ${lost} checkpoints lost, ${batches} batches\n`,
  );
  expect(killed).toBeGreaterThan(kills / 2);
  expect([...diedAfter.keys()]).toEqual(expect.arrayContaining([...MOMENTS]));
  expect(batches).toBeGreaterThan(kills / 2);
  // It goes on from there, and finds nothing more.
  await host.run(undefined, seed());
  expect(await check()).toBe(batches);
}
