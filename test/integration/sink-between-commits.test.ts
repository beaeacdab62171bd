/**
 * `moraine sink run` with a dead-letter table and an online table is killed with SIGKILL just before accesses that lie between the commit of its own table and the end
 * of what that leaves to do in the others, and once more while the next run takes that over: no table shows a batch that the sink's own table has not, none lacks one
 * before the last, and in the end each has every record once. `MORAINE_SINK_KILLS` for each way (6, and two of the
 * ways); with twice as many as there are accesses it is killed at each of them.
 */
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseSchema } from '../../iceberg/index.js';
import { createMoraine } from '../../index.js';
import { openProject, type Project } from '../../project/index.js';
import { moraine } from '../support/cli.js';
import { liveRows } from '../support/compaction-lab.js';
import { seed as askedSeed } from '../support/environment.js';
import { KILL_AT_ACCESS, LOCAL_CONFIG, SINK_KILLS_ASKED, sinkKills } from '../support/sink-kills.js';
import { lookInto } from '../support/table-look.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { Random } from '../worlds/random.js';

const KILLS = sinkKills(6);
const [TABLE, LETTERS, VIEW] = ['iot.uplinks', 'iot.dead', 'device_state'];
const BATCH = 20;
const DEVICES = 3;
const FIRST_MS = Date.parse('2026-01-01T00:00:00Z');
/** Each run writes a metadata file of the sink's table for its claim, and one for the batch. */
const [CLAIM, COMMIT] = [1, 2];

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
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

/** Places of the bad records of the first batches in the file. */
function badPlaces(batches: number): readonly number[] {
  let place = 0;
  return upTo(batches * BATCH).flatMap((id) => {
    const from = place;
    place += line(id).length;
    return isBad(id) ? [from] : [];
  });
}

interface Way {
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
const WAYS: readonly Way[] = [
  { name: 'appends', version: 2, kept: (batches) => upTo(batches * BATCH).filter((id) => !isBad(id)) },
  { name: 'upserts with position deletes', version: 2, isOfNight: true, upsert, kept: newestIds },
  { name: 'upserts with deletion vectors', version: 3, upsert, kept: newestIds },
];

async function prepare(folder: string, formatVersion: 2 | 3): Promise<void> {
  writeFileSync(join(folder, 'moraine.yaml'), LOCAL_CONFIG);
  const library = await createMoraine({ cwd: folder });
  const column = (id: number, name: string, type: string) => ({ id, name, required: true, type });
  const fields = [column(1, 'id', 'long'), column(2, 'device', 'long'), column(3, 'at', 'timestamptz')];
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields });
  await library.createTable(TABLE, { schema, formatVersion });
  const source = { table: TABLE, timestampField: 'at' };
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
  readonly #way: Way;

  constructor(folder: string, project: Project, way: Way) {
    this.#folder = folder;
    this.#project = project;
    this.#way = way;
  }

  /** @throws if a table has anything but whole batches from the first on, each once */
  async look(offered: number): Promise<Found> {
    const ids = (await this.#rows(TABLE, 'id')).map(Number).sort((one, other) => one - other);
    const letters = (await this.#rows(LETTERS, 'position')).map(Number).sort((one, other) => one - other);
    const served = await this.#served();
    const batchesOf = <T>(found: T, expected: (batches: number) => T): number => {
      const texts = upTo(offered + 1).map((batches) => JSON.stringify(expected(batches)));
      expect(texts).toContain(JSON.stringify(found));
      return texts.indexOf(JSON.stringify(found));
    };
    return {
      rows: batchesOf(ids, (batches) => this.#way.kept(batches).toSorted((one, other) => one - other)),
      letters: batchesOf(letters, badPlaces),
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

/** Where a run is killed, or where its accesses are counted from: the first is the creation of that metadata file of the sink's table. */
interface At {
  readonly from: number;
  readonly access?: number;
}

test.each(WAYS.filter(({ isOfNight }) => !isOfNight || SINK_KILLS_ASKED))(
  `killed ${KILLS} times between the commit of its table and the others', a sink of $name has each record once in all of them`,
  async (way) => {
    const folder = temporaryFolder();
    await prepare(folder, way.version);
    const project = await openProject({ cwd: folder });
    onTestFinished(() => project.close());
    const tables = new Tables(folder, project, way);
    const [marker, count] = [join(folder, 'killed'), join(folder, 'accesses')];
    const args = ['sink', 'run', TABLE, 'log', '--batch-size', `${BATCH}`, '--dead-letters', LETTERS];
    args.push('--materialize', VIEW, ...(way.upsert === undefined ? [] : ['--upsert', 'device', '--order', 'at']));
    let offered = 0;
    const offer = (): void => {
      const ids = upTo(BATCH).map((index) => offered * BATCH + index);
      appendFileSync(join(folder, 'log'), ids.map(line).join(''));
      offered += 1;
    };
    const run = async ({ from, access = 0 }: At): Promise<boolean> => {
      rmSync(marker, { force: true });
      const env = {
        ...{ NODE_OPTIONS: `--import ${KILL_AT_ACCESS}`, MORAINE_FAULT_MARKER: marker, MORAINE_ACCESS_ROOT: folder },
        MORAINE_ACCESS_FROM: `${from} iot/uplinks/metadata/[^/]*\\.metadata\\.json$`,
        ...{ MORAINE_KILL_AT: `${access}`, MORAINE_ACCESS_COUNT: count },
      };
      const result = await moraine(args, { cwd: folder, env });
      expect(result.code, result.stderr).toBe(existsSync(marker) ? null : 0);
      return existsSync(marker);
    };
    const library = await createMoraine({ cwd: folder, fileFolders: [folder] });
    onTestFinished(() => library.close());
    /** Writes what there is, without a fault. */
    const finish = () => {
      const options = { batchSize: BATCH, deadLetters: LETTERS, materialize: [VIEW] };
      return library.sinkFiles(TABLE, [join(folder, 'log')], { ...options, ...(way.upsert && { upsert: way.upsert }) });
    };
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

    offer();
    await finish();
    offer();
    await run({ from: COMMIT });
    const accesses = Number(readFileSync(count, 'utf8'));
    const random = new Random(`between commits ${way.name} ${askedSeed ?? 1}`);
    const points = Math.min(Math.ceil(KILLS / 2), accesses);
    for (const index of random.shuffle(upTo(points))) {
      const access = 1 + Math.floor((index * accesses) / points);
      offer();
      await killAt({ from: COMMIT, access });
      // About so many are left of what it did.
      await killAt({ from: CLAIM, access: random.int(1, accesses - access + 1) });
      await finish();
    }
    expect(await tables.look(offered)).toEqual({ rows: offered, letters: offered, served: offered });
    expect(await lookInto(project, LETTERS).added()).toEqual(
      upTo(offered).map((batch) => badPlaces(batch + 1).length - badPlaces(batch).length),
    );
    if (way.upsert === undefined)
      expect(await lookInto(project, TABLE).added()).toEqual(
        upTo(offered).map((batch) => way.kept(batch + 1).length - way.kept(batch).length),
      );
    process.stdout.write(
      `sink of ${way.name}: killed ${killed} times at accesses up to ${accesses}, ${between} times with work left\n`,
    );
    expect(killed).toBeGreaterThanOrEqual(points);
    expect(between).toBeGreaterThan(points / 2);
  },
);
