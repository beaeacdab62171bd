/**
 * `moraine sink run` with a dead-letter table and an online table is killed with SIGKILL just before accesses (or requests) that lie between the commit of its own table
 * and the end of what that leaves to do in the others, and once more while the next run takes that over: no table shows a batch that the sink's own table has not, none
 * lacks one before the last, and in the end each has every record once. With twice as many kills as there are accesses it is killed at each of them.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Moraine } from '../../client/index.js';
import { parseSchema } from '../../iceberg/index.js';
import { createMoraine } from '../../index.js';
import { openProject, type Project } from '../../project/index.js';
import { Random } from '../worlds/random.js';
import { moraine } from './cli.js';
import { liveRows } from './compaction-lab.js';
import { seed as askedSeed } from './environment.js';
import { KILL_AT_ACCESS, SINK_KILLS_ASKED } from './sink-kills.js';
import { lookInto } from './table-look.js';
import { temporaryFolder } from './temp-folder.js';
import { upTo } from './up-to.js';

/** The sink's own table. */
export const BETWEEN_TABLE = 'iot.uplinks';
const [LETTERS, VIEW] = ['iot.dead', 'device_state'];
const BATCH = 20;
const DEVICES = 3;
const FIRST_MS = Date.parse('2026-01-01T00:00:00Z');
/** Each run commits to the sink's table its claim, and then the batch: by a metadata file, or by a request to a REST catalog. */
const [CLAIM, COMMIT] = [1, 2];
const METADATA_FILE = 'iot/uplinks/metadata/[^/]*\\.metadata\\.json$';
const COMMIT_REQUEST = 'POST .*/tables/uplinks$';

/** A source of records, and where the tables are. */
export interface BetweenPlace {
  /** For what is printed. */
  readonly name: string;
  /** `moraine.yaml` */
  readonly config: string;
  /** Whether files and catalog are those of this machine; else the catalog is a REST catalog, and requests are counted. */
  readonly isLocal: boolean;
  /** Of `sink run`: a run that ends at the end of the source. */
  readonly source: readonly string[];
  /** Gives the source records, as lines of JSON. @param folder the project's */
  readonly offer: (folder: string, lines: string) => Promise<unknown>;
  /** Position of each of the first records, for their lines with the newlines. */
  readonly positions: (lines: readonly string[]) => readonly number[];
  /** Writes what there is, without a fault. */
  readonly finish: (library: Moraine, folder: string, options: BetweenOptions) => Promise<unknown>;
}

/** Options of the library's sink. */
export interface BetweenOptions {
  readonly batchSize: number;
  readonly deadLetters: string;
  readonly materialize: readonly string[];
  readonly upsert?: { readonly key: readonly string[]; readonly order: string };
}

/** Records are lines of the file `log` in the folder. */
export const FROM_A_FILE = {
  source: ['log'],
  offer: (folder, lines) => appendFile(join(folder, 'log'), lines),
  positions: (lines) => {
    let place = 0;
    return lines.map(({ length }) => (place += length) - length);
  },
  finish: (library, folder, options) => library.sinkFiles(BETWEEN_TABLE, [join(folder, 'log')], options),
} satisfies Partial<BetweenPlace>;

const isBad = (id: number): boolean => id % 7 === 3;
/** Seconds since the first, no two of them equal; within a batch in no order. */
const second = (id: number): number => 20 * Math.floor(id / BATCH) + (((id % BATCH) * 7) % BATCH);
const line = (id: number): string => {
  const at = new Date(FIRST_MS + second(id) * 1000).toISOString();
  return `${JSON.stringify({ id: isBad(id) ? `bad ${id}` : id, device: id % DEVICES, at })}\n`;
};

/** The newest good record of each device among those of the first batches. */
const newest = (batches: number): readonly (number | null)[] =>
  upTo(DEVICES).map((device) => {
    const own = upTo(batches * BATCH).filter((id) => id % DEVICES === device && !isBad(id));
    return own.toSorted((one, other) => second(other) - second(one))[0] ?? null;
  });

/** Positions of the bad records of the first batches. */
const badPositions = ({ positions }: BetweenPlace, batches: number): readonly number[] =>
  positions(upTo(batches * BATCH).map(line)).filter((_, id) => isBad(id));

/** A sink that appends, or one that upserts. */
export interface BetweenWay {
  readonly name: string;
  readonly version: 2 | 3;
  /** Only if a number of kills is asked for. */
  readonly isOfNight?: boolean;
  readonly upsert?: { readonly key: readonly string[]; readonly order: string };
  /** Ids that the sink's table has of the first batches. */
  readonly kept: (batches: number) => readonly number[];
}

const upsert = { key: ['device'], order: 'at' };
const newestIds = (batches: number): readonly number[] => newest(batches).flatMap((id) => id ?? []);
const APPENDS: BetweenWay = {
  ...{ name: 'appends', version: 2 },
  kept: (batches) => upTo(batches * BATCH).filter((id) => !isBad(id)),
};
const UPSERTS: readonly BetweenWay[] = [
  { name: 'upserts with position deletes', version: 2, isOfNight: true, upsert, kept: newestIds },
  { name: 'upserts with deletion vectors', version: 3, upsert, kept: newestIds },
];

/** The ways at a place: all if a number of kills is asked for. */
export const betweenWays = (least: 'appends' | 'upserts, too'): readonly BetweenWay[] =>
  [APPENDS, ...UPSERTS].filter((way) => SINK_KILLS_ASKED || way === APPENDS || (least !== 'appends' && !way.isOfNight));

async function prepare(folder: string, config: string, formatVersion: 2 | 3): Promise<void> {
  writeFileSync(join(folder, 'moraine.yaml'), config);
  const library = await createMoraine({ cwd: folder });
  const column = (id: number, name: string, type: string) => ({ id, name, required: true, type });
  const fields = [column(1, 'id', 'long'), column(2, 'device', 'long'), column(3, 'at', 'timestamptz')];
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields });
  await library.createTable(BETWEEN_TABLE, { schema, formatVersion });
  const source = { table: BETWEEN_TABLE, timestampField: 'at' };
  await library.apply({
    entities: [{ name: 'device', joinKeys: ['device'] }],
    featureViews: [{ name: VIEW, online: true, entities: ['device'], source, features: ['id'] }],
  });
  await library.close();
}

/** Batches that each table has, whole: of the sink, of dead letters, and those that are served. */
interface Found {
  readonly rows: number;
  readonly letters: number;
  readonly served: number;
}

class Tables {
  readonly #folder: string;
  readonly #project: Project;
  readonly #way: BetweenWay;
  readonly #place: BetweenPlace;

  constructor(folder: string, project: Project, way: BetweenWay, place: BetweenPlace) {
    this.#folder = folder;
    this.#project = project;
    this.#way = way;
    this.#place = place;
  }

  /** @throws if a table has anything but whole batches from the first on, each once */
  async look(offered: number): Promise<Found> {
    const ids = (await this.#rows(BETWEEN_TABLE, 'id')).map(Number).sort((one, other) => one - other);
    const letters = (await this.#rows(LETTERS, 'position')).map(Number).sort((one, other) => one - other);
    const served = await this.#served();
    const batchesOf = <T>(found: T, expected: (batches: number) => T): number => {
      const texts = upTo(offered + 1).map((batches) => JSON.stringify(expected(batches)));
      expect(texts).toContain(JSON.stringify(found));
      return texts.indexOf(JSON.stringify(found));
    };
    return {
      rows: batchesOf(ids, (batches) => this.#way.kept(batches).toSorted((one, other) => one - other)),
      letters: batchesOf(letters, (batches) => badPositions(this.#place, batches)),
      served: batchesOf(served, newest),
    };
  }

  async #rows(name: string, select: string): Promise<readonly string[]> {
    return await liveRows({ engine: await this.#project.engine() }, await this.#project.loadTable(name), { select });
  }

  async #served(): Promise<readonly (number | null)[]> {
    // One that is open may remember the table for half a second.
    const library = await createMoraine({ cwd: this.#folder });
    const entities = upTo(DEVICES).map((device) => ({ device: BigInt(device) }));
    const { rows } = await library.getOnlineFeatures({ features: [`${VIEW}:id`], entities });
    await library.close();
    return rows.map(([id]) => (id?.value === null || id === undefined ? null : Number(id.value)));
  }
}

/** Where a run is killed, or where its accesses are counted from: the first is the commit of that number to the sink's table. */
interface At {
  readonly from: number;
  readonly access?: number;
}

/** Kills the sink so many times, half of them at accesses that are spread over those between the commits, and half while the next run takes over. */
export async function expectBetweenSurvived(way: BetweenWay, place: BetweenPlace, kills: number): Promise<void> {
  const folder = temporaryFolder();
  await prepare(folder, place.config, way.version);
  const project = await openProject({ cwd: folder });
  onTestFinished(() => project.close());
  const tables = new Tables(folder, project, way, place);
  const [marker, count] = [join(folder, 'killed'), join(folder, 'accesses')];
  const args = ['sink', 'run', BETWEEN_TABLE, ...place.source, '--batch-size', `${BATCH}`, '--dead-letters', LETTERS];
  args.push('--materialize', VIEW, ...(way.upsert === undefined ? [] : ['--upsert', 'device', '--order', 'at']));
  let offered = 0;
  const offer = async (): Promise<void> => {
    const ids = upTo(BATCH).map((index) => offered * BATCH + index);
    await place.offer(folder, ids.map(line).join(''));
    offered += 1;
  };
  const run = async ({ from, access = 0 }: At): Promise<boolean> => {
    rmSync(marker, { force: true });
    const env = {
      ...{ NODE_OPTIONS: `--import ${KILL_AT_ACCESS}`, MORAINE_FAULT_MARKER: marker },
      MORAINE_ACCESS_ROOT: place.isLocal ? folder : undefined,
      MORAINE_ACCESS_FROM: `${from} ${place.isLocal ? METADATA_FILE : COMMIT_REQUEST}`,
      ...{ MORAINE_KILL_AT: `${access}`, MORAINE_ACCESS_COUNT: count },
    };
    const result = await moraine(args, { cwd: folder, env });
    expect(result.code, result.stderr).toBe(existsSync(marker) ? null : 0);
    return existsSync(marker);
  };
  const library = await createMoraine({ cwd: folder, fileFolders: [folder] });
  onTestFinished(() => library.close());
  const options = { batchSize: BATCH, deadLetters: LETTERS, materialize: [VIEW] };
  const finish = () => place.finish(library, folder, { ...options, ...(way.upsert && { upsert: way.upsert }) });
  let [last, killed, between] = [{ rows: 0, letters: 0, served: 0 }, 0, 0];
  const killAt = async (at: Required<At>): Promise<void> => {
    if (await run(at)) killed += 1;
    const found = await tables.look(offered);
    const { rows, letters, served } = found;
    for (const batches of [letters, served]) {
      expect(batches).toBeLessThanOrEqual(rows);
      expect(batches).toBeGreaterThanOrEqual(rows - 1);
    }
    expect(rows).toBeGreaterThanOrEqual(last.rows);
    if (letters < rows || served < rows) between += 1;
    last = found;
  };

  await offer();
  await finish();
  await offer();
  await run({ from: COMMIT });
  const accesses = Number(readFileSync(count, 'utf8'));
  const random = new Random(`between commits ${way.name} ${askedSeed ?? 1}`);
  const points = Math.min(Math.ceil(kills / 2), accesses);
  for (const index of random.shuffle(upTo(points))) {
    // In the middle of its share.
    const access = 1 + Math.floor(((index + 0.5) * accesses) / points);
    await offer();
    await killAt({ from: COMMIT, access });
    // About so many are left of what it did.
    await killAt({ from: CLAIM, access: random.int(1, accesses - access + 1) });
    await finish();
  }
  expect(await tables.look(offered)).toEqual({ rows: offered, letters: offered, served: offered });
  const ofBatches = (count: (batches: number) => number): readonly number[] =>
    upTo(offered).map((batch) => count(batch + 1) - count(batch));
  expect(await lookInto(project, LETTERS).added()).toEqual(ofBatches((batches) => badPositions(place, batches).length));
  if (way.upsert === undefined)
    expect(await lookInto(project, BETWEEN_TABLE).added()).toEqual(ofBatches((batches) => way.kept(batches).length));
  process.stdout.write(
    `sink of ${way.name}, ${place.name}: killed ${killed} times at accesses up to ${accesses}, ${between} times with work left\n`,
  );
  expect(killed).toBeGreaterThanOrEqual(points);
  expect(between).toBeGreaterThan(points / 2);
}
