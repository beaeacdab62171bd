/**
 * `moraine sink run` as a process that is killed with SIGKILL just before an access to files, catalog or query engine (or a request to a store or a catalog), in
 * random order, again and again, while a reader polls the table. `MORAINE_SINK_KILLS` (20), from `MORAINE_SEED` on.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { quoteLiteral } from '../../engine/index.js';
import { openProject, type Project } from '../../project/index.js';
import { planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import { Random } from '../worlds/random.js';
import { moraine, moraineOk } from './cli.js';
import { liveRows } from './compaction-lab.js';
import { seed as askedSeed, numberIn } from './environment.js';
import { projectRoot } from './paths.js';
import { temporaryFolder } from './temp-folder.js';
import { upTo } from './up-to.js';

/** Loaded into a process with `--import`; its head says how it is told when. */
export const KILL_AT_ACCESS = pathToFileURL(join(projectRoot, 'test/support/kill-at-access.mjs')).href;
const ASKED = numberIn('MORAINE_SINK_KILLS', /^[1-9]\d{0,4}$/);
/** Whether these are the long forms. */
export const SINK_KILLS_ASKED = ASKED !== undefined;
/** How often a process is killed, or stopped. @param least unless the environment says */
export const sinkKills = (least: number): number => ASKED ?? least;
export const SINK_KILLS = sinkKills(20);
export const KILLED_TABLE = 'iot.uplinks';
const BATCH = 50;
/** Ids of a partition of the source begin at so many times its number. */
const IDS_OF_PARTITION = 1_000_000;
/** Time between two looks of the reader, which would take a core from the sink otherwise. */
const POLL_MS = 50;

const COLUMNS = [
  { id: 1, name: 'id', required: true, type: 'long' },
  { id: 2, name: 'device', required: false, type: 'string' },
];

/** A source of records, and the table that they go to. */
export interface KilledSink {
  /** `moraine.yaml` */
  readonly config: string;
  /** Whether files and catalog are those of this machine; else requests are counted. */
  readonly isLocal: boolean;
  /** Of `sink run`: a run that ends at the end of the source. */
  readonly source: readonly string[];
  readonly partitions: number;
  /** Gives the source records of a partition, with the ids from one up to another. @param folder the project's */
  readonly offer: (folder: string, partition: number, from: number, to: number) => Promise<unknown>;
}

/** Ids of the rows of the table's current snapshot, in order; those of local files are read past our own scan. */
async function idsOf(project: Project, table: Table, { isLocal }: KilledSink): Promise<readonly number[]> {
  const engine = await project.engine();
  if (!isLocal) return (await liveRows({ engine }, table, { select: 'id' })).map(Number);
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const { files } = await planFiles(table, { schema, snapshot });
  const paths = files.map(({ file }) => quoteLiteral(file.filePath)).join(', ');
  if (paths === '') return [];
  const sql = `SELECT id FROM read_parquet([${paths}], hive_partitioning = false) ORDER BY id`;
  return (await engine.withConnection((connection) => connection.rows(sql))).map(([id]) => Number(id));
}

/** Of each partition of the source its first records, and batches that are whole. */
function expectWhole(ids: readonly number[], partitions: number): void {
  const counts = upTo(partitions).map(
    (partition) => ids.filter((id) => Math.floor(id / IDS_OF_PARTITION) === partition).length,
  );
  expect(ids).toEqual(
    counts.flatMap((count, partition) => upTo(count).map((index) => partition * IDS_OF_PARTITION + index)),
  );
  expect(ids.length % BATCH).toBe(0);
}

/** Looks at the table all the time, and reads each snapshot that it finds, until it is told to stop. */
class Reader {
  readonly #load: () => Promise<Table>;
  readonly #read: (table: Table) => Promise<readonly number[]>;
  readonly #partitions: number;
  readonly #done: Promise<void>;
  #isStopped = false;
  /** How often it has read other rows than before. */
  changes = 0;

  constructor(load: () => Promise<Table>, read: (table: Table) => Promise<readonly number[]>, partitions: number) {
    this.#load = load;
    this.#read = read;
    this.#partitions = partitions;
    this.#done = this.#poll();
    this.#done.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #poll(): Promise<void> {
    let seen: Table['metadata']['currentSnapshotId'] | undefined;
    for (let last = 0; !this.#isStopped; await sleep(POLL_MS)) {
      const table = await this.#load();
      const { currentSnapshotId } = table.metadata;
      if (currentSnapshotId === seen) continue;
      seen = currentSnapshotId;
      const ids = await this.#read(table);
      expectWhole(ids, this.#partitions);
      expect(ids.length).toBeGreaterThanOrEqual(last);
      if (ids.length > last) this.changes += 1;
      last = ids.length;
    }
  }
}

/** Runs of `moraine sink run` in a folder, each on further records. */
export interface KilledRuns {
  readonly folder: string;
  /** As of {@link KilledSink}. */
  readonly isLocal: boolean;
  /** What follows `sink run`. */
  readonly args: readonly string[];
  readonly kills: number;
  readonly random: Random;
  /** Gives the source records for two batches. */
  readonly offer: () => Promise<void>;
  /** Called after the first run, which ends by itself. */
  readonly begin: () => Promise<void>;
}

/**
 * Runs the command once, then again and again, killed just before accesses that are spread over such a run, in random order, and once more to its end.
 * @returns how often it was killed, and the accesses of the first run
 */
export async function killRuns({ folder, isLocal, args, kills, random, offer, begin }: KilledRuns) {
  const [marker, count] = [join(folder, 'killed'), join(folder, 'accesses')];
  const run = async (killAt: number): Promise<void> => {
    rmSync(marker, { force: true });
    const env = {
      ...{ NODE_OPTIONS: `--import ${KILL_AT_ACCESS}`, MORAINE_FAULT_MARKER: marker },
      MORAINE_ACCESS_ROOT: isLocal ? folder : undefined,
      ...(killAt === 0 ? { MORAINE_ACCESS_COUNT: count } : { MORAINE_KILL_AT: `${killAt}` }),
    };
    const result = await moraine(['sink', 'run', ...args], { cwd: folder, env });
    expect(result.code, result.stderr).toBe(existsSync(marker) ? null : 0);
  };
  // Its end counts, too.
  await offer();
  await run(0);
  const accesses = Number(readFileSync(count, 'utf8'));
  await begin();
  let killed = 0;
  const points = upTo(kills).map((index) => Math.ceil(((index + 1) * accesses) / kills));
  for (const point of random.shuffle(points)) {
    await offer();
    await run(point);
    if (existsSync(marker)) killed += 1;
  }
  await run(0);
  expect(killed).toBeGreaterThan(kills / 2);
  return { killed, accesses };
}

/** Kills the sink {@link SINK_KILLS} times: the reader sees whole batches at every moment, and in the end each record is there once, each batch in one snapshot. */
export async function expectKillsSurvived(what: string, sink: KilledSink): Promise<void> {
  const { partitions, isLocal } = sink;
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), sink.config);
  writeFileSync(join(folder, 'schema.json'), JSON.stringify({ type: 'struct', fields: COLUMNS }));
  const create = ['table', 'create', KILLED_TABLE, '--schema', 'schema.json', '--partition', 'bucket[2](id)'];
  await moraineOk(create, { cwd: folder });
  let offered = 0;
  /** Two batches, over all partitions. */
  const offer = async (): Promise<void> => {
    const to = offered + (2 * BATCH) / partitions;
    for (const partition of upTo(partitions)) {
      const first = partition * IDS_OF_PARTITION;
      await sink.offer(folder, partition, first + offered, first + to);
    }
    offered = to;
  };
  const project = await openProject({ cwd: folder });
  onTestFinished(() => project.close());
  const load = () => project.loadTable(KILLED_TABLE);
  const read = (table: Table) => idsOf(project, table, sink);
  let reader: Reader | undefined;
  const { killed, accesses } = await killRuns({
    ...{ folder, isLocal, kills: SINK_KILLS, random: new Random(`sink kills ${what} ${askedSeed ?? 1}`), offer },
    args: [KILLED_TABLE, ...sink.source, '--batch-size', `${BATCH}`, '--batch-interval', '3600'],
    begin: () => {
      reader = new Reader(load, read, partitions);
      return Promise.resolve();
    },
  });
  await reader?.stop();
  const table = await load();
  const ids = await read(table);
  expectWhole(ids, partitions);
  expect(ids.length).toBe(offered * partitions);
  const { snapshots } = table.metadata;
  const added = snapshots.map(({ summary }) => summary.get('added-records') ?? '0').filter((rows) => rows !== '0');
  expect(added).toEqual(Array.from({ length: ids.length / BATCH }, () => `${BATCH}`));
  process.stdout.write(
    `${what}: killed ${killed} times at accesses up to ${accesses}, the reader saw ${reader?.changes} changes\n`,
  );
  expect(reader?.changes).toBeGreaterThan(SINK_KILLS / 2);
}

export const LOCAL_CONFIG = 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nengine: { threads: 1 }\n';

/** Records as lines of JSON. */
export const killedLines = (from: number, to: number): string =>
  upTo(to - from)
    .map((index) => `${JSON.stringify({ id: from + index, device: `d${index % 3}` })}\n`)
    .join('');
