/**
 * A sink on S3 (MinIO) with a REST catalog (Java's) whose answers are lost, whose requests are lost or arrive late, and whose processes end at any moment and
 * come back with an older checkpoint: each record is in the table once. PyIceberg reads whole batches in every snapshot.
 * `MORAINE_SINK_ROUNDS` rounds (1), from `MORAINE_SEED` on. Then the command, which is killed at `MORAINE_SINK_KILLS` random requests, also between the commits of a
 * batch's tables, and stopped while another one takes over; and a host with checkpoints of its own, which is killed as often.
 */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Int64, Table, Utf8, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { arrowRecords } from '../../client/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { parsePartitionSpec } from '../../iceberg/index.js';
import { openProject, type Project } from '../../project/index.js';
import { IcebergSink, type SinkSnapshot } from '../../sink/index.js';
import { betweenWays, expectBetweenSurvived, FROM_A_FILE } from '../support/between-commits.js';
import { expectCheckpointsSurvived, FROM_FILES } from '../support/checkpoint-rounds.js';
import { seed as askedSeed, numberIn } from '../support/environment.js';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.js';
import { python } from '../support/python.js';
import { type RestServer, s3OfRest, startRestServer } from '../support/rest-server.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { expectKillsSurvived, KILLED_TABLE, killedLines, SINK_KILLS, sinkKills } from '../support/sink-kills.js';
import { expectStopsSurvived } from '../support/stopped-runs.js';
import { lookInto } from '../support/table-look.js';
import { schemaOf } from '../support/table-world.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { upTo } from '../support/up-to.js';

let store: ServerWithUsers;
let rest: RestServer;
let proxy: FaultyProxy;
beforeAll(async () => {
  store = await startMinio();
  await store.makeBucket('lake');
  rest = await startRestServer('s3://lake/rest', s3OfRest(store));
  proxy = await startFaultyProxy(new URL(rest.uriOf('')).origin);
});
afterAll(() => Promise.all([proxy.close(), store.close(), rest.close()]));

const TABLE = { namespace: ['iot'], name: 't' };
const PARTITIONS = ['a', 'b'];
/** Records of each partition, and of each in a batch. */
const [LAST, STEP] = [72, 6];
const ID_OF_B = 1000;
const STOPS = sinkKills(4);

async function open(uri: string): Promise<Project> {
  const project = await openProject({
    cwd: temporaryFolder(),
    config: {
      catalogs: { lake: { type: 'rest', uri } },
      storage: { roots: ['s3://lake'], options: store.options },
      engine: { threads: 2 },
    },
  });
  onTestFinished(() => project.close());
  return project;
}

/** Numbers from 0 to below 1. Source: mulberry32, public domain. */
function numbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Cards in a random order, again and again: each comes up in every round of the deck. */
function deck<T>(random: () => number, cards: readonly T[]): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = [...cards];
    return left.splice(Math.floor(random() * left.length), 1)[0] as T;
  };
}

/** Decides about the commits of the table. @returns the requests that are yet to arrive */
function faults(random: () => number): (() => Promise<unknown>)[] {
  const late: (() => Promise<unknown>)[] = [];
  const next = deck(random, ['lost', 'dropped', 'late', 'late', 'pass', 'pass', 'pass', 'pass']);
  proxy.fateOf = async ({ method, path, body, headers }) => {
    if (method !== 'POST' || !path.endsWith('/tables/t')) return 'pass';
    // A request that was sent before, or long ago, arrives just before this one.
    if (random() < 0.5) await late.shift()?.();
    const fault = next();
    if (fault === 'lost') return 'lose';
    if (fault === 'dropped') return 'drop';
    if (fault !== 'late') return 'pass';
    const url = `${new URL(rest.uriOf('')).origin}${path}`;
    const sent = { method, body, headers: { 'content-type': String(headers['content-type']) } };
    late.push(() => fetch(url, sent).then((answer) => answer.text()));
    return 'drop';
  };
  return late;
}

/** A sink with what its process knows; a process that ends loses it. */
class Host {
  readonly sink: IcebergSink;
  /** The next record to read of each partition. */
  readonly next: Map<string, number>;

  constructor(sink: IcebergSink, next: ReadonlyMap<string, number>) {
    this.sink = sink;
    this.next = new Map(next);
  }

  async offer(): Promise<void> {
    await Promise.all(
      PARTITIONS.map(async (partition, writer) => {
        const from = this.next.get(partition) ?? 0;
        const to = Math.min(LAST, from + STEP);
        if (from === to) return;
        const ids = Array.from({ length: to - from }, (_, index) => from + index);
        const table = new Table({
          id: vectorFromArray(
            ids.map((id) => BigInt(id + writer * ID_OF_B)),
            new Int64(),
          ),
          text: vectorFromArray(
            ids.map((id) => `${partition}-${id % 3}`),
            new Utf8(),
          ),
        });
        const range = { partition, from: BigInt(from), to: BigInt(to) };
        await this.sink.writer(writer).writeBatch(arrowRecords(table), range);
        this.next.set(partition, to);
      }),
    );
  }
}

interface Checkpoint {
  readonly state: SinkSnapshot | null;
  readonly next: ReadonlyMap<string, number>;
}

async function round(seed: number): Promise<void> {
  const random = numbers(seed);
  const uri = new URL(rest.uriOf(`sink-${randomUUID().slice(0, 8)}`));
  const [direct, behind] = [await open(uri.href), await open(`${proxy.address}${uri.pathname}`)];
  const catalog = await direct.catalog();
  await catalog.createNamespace(TABLE.namespace);
  const schema = schemaOf({ id: 'long', text: 'string' });
  const properties = new Map(
    Object.entries({ 'num-retries': '1', 'min-wait-ms': '10', 'max-wait-ms': '20' }).map(([name, value]) => [
      `commit.status-check.${name}`,
      value,
    ]),
  );
  await catalog.createTable(TABLE, {
    schema,
    partitionSpec: parsePartitionSpec('bucket[2](id), text', schema),
    properties,
  });
  const checkpoints: Checkpoint[] = [{ state: null, next: new Map() }];
  const late = faults(random);
  const action = deck(random, [
    'checkpoint',
    'checkpoint, end',
    'commit, end',
    'commit',
    'flush',
    'flush, end',
    'nothing',
    'end',
  ]);
  const deps = { catalog: await behind.catalog(), io: behind.io, engine: await behind.engine() };
  const options = { table: TABLE, name: 's', numPartitions: 2, batchSize: Infinity, batchIntervalMs: Infinity };
  const restart = async (): Promise<Host> => {
    // Mostly the newest; at times the host has not kept it, nor the one before. Those after it are forgotten: they are of a course that it leaves.
    const back = Math.min(Math.floor(3 * random() ** 3), checkpoints.length - 1);
    checkpoints.splice(checkpoints.length - back);
    const { state, next } = checkpoints.at(-1) ?? { state: null, next: new Map() };
    const sink = await IcebergSink.open(deps, options);
    if (state !== null) await sink.restore(state);
    return new Host(sink, next);
  };
  let host: Host | null = null;
  for (;;) {
    try {
      host ??= await restart();
      await host.offer();
      const does = action();
      if (/checkpoint|commit/.test(does)) {
        const state = await host.sink.snapshot();
        checkpoints.push({ state, next: new Map(host.next) });
        if (does.startsWith('commit')) await host.sink.commit(state);
      }
      if (does.startsWith('flush')) await host.sink.flush();
      if (does.endsWith('end')) host = null;
      else if (PARTITIONS.every((partition) => host?.next.get(partition) === LAST)) {
        await host.sink.close();
        break;
      }
    } catch (error) {
      // An outcome that stays unknown, or a catalog that is away: the process gives up, and another one comes.
      if (!isMoraineError(error, 'COMMIT_STATE_UNKNOWN', 'CATALOG_UNAVAILABLE', 'COMMIT_CONFLICT')) throw error;
      host = null;
    }
  }
  proxy.fateOf = () => 'pass';
  for (const deliver of late) await deliver();
  await expectOnce(uri.href);
}

/** Each record once, and every snapshot has whole batches, as PyIceberg reads them. */
async function expectOnce(uri: string): Promise<void> {
  const lake = { type: 'rest', uri, ...store.options };
  const read = await python<Record<string, number[]>>('read_snapshots.py', JSON.stringify(lake), 'iot.t');
  const of = (count: number): number[] => [...upTo(count), ...upTo(count).map((id) => id + ID_OF_B)];
  const snapshots = Object.values(read).toSorted((one, other) => one.length - other.length);
  for (const ids of snapshots) {
    expect(ids).toEqual(of(ids.length / 2));
    expect((ids.length / 2) % STEP).toBe(0);
  }
  expect(snapshots.at(-1)).toEqual(of(LAST));
}

/** `moraine.yaml` of a catalog of its own in the store. */
function configOf(name: string): string {
  const { 's3.secret-access-key': secret = '', ...options } = store.options;
  vi.stubEnv('LAKE_SECRET_KEY', secret);
  const storage = { roots: ['s3://lake'], options: { ...options, 's3.secret-access-key': '${LAKE_SECRET_KEY}' } };
  return JSON.stringify({
    catalogs: { lake: { type: 'rest', uri: rest.uriOf(name) } },
    storage,
    engine: { threads: 1 },
  });
}

/** PyIceberg reads the first ids, in batches of 50, in every snapshot. */
async function expectWholeSnapshots(name: string): Promise<void> {
  const lake = { type: 'rest', uri: rest.uriOf(name), ...store.options };
  const read = await python<Record<string, number[]>>('read_snapshots.py', JSON.stringify(lake), KILLED_TABLE);
  for (const ids of Object.values(read)) {
    expect(ids).toEqual(upTo(ids.length));
    expect(ids.length % 50).toBe(0);
  }
}

test(`killed ${SINK_KILLS} times at random requests, a sink shows whole batches to who polls it, and each record once`, async () => {
  const name = `killed-${randomUUID().slice(0, 8)}`;
  await expectKillsSurvived('sink on S3 with REST', {
    ...{ config: configOf(name), isLocal: false, source: ['a.ndjson'], partitions: 1 },
    offer: (folder, _, from, to) => appendFile(join(folder, 'a.ndjson'), killedLines(from, to)),
  });
  await expectWholeSnapshots(name);
});

test(`stopped ${STOPS} times at random requests while another run writes what is left, a run commits nothing more`, async () => {
  const name = `stopped-${randomUUID().slice(0, 8)}`;
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), configOf(name));
  const project = await openProject({ cwd: folder });
  onTestFinished(() => project.close());
  const catalog = await project.catalog();
  await catalog.createNamespace(['iot']);
  const schema = schemaOf({ id: 'long', device: 'string' });
  await catalog.createTable({ namespace: ['iot'], name: 'uplinks' }, { schema });
  await expectStopsSurvived('two runs on S3 with REST', {
    ...{ folder, isLocal: false, args: [KILLED_TABLE, 'log'], stops: STOPS },
    ...lookInto(project, KILLED_TABLE),
    offer: (from, to) => appendFile(join(folder, 'log'), killedLines(from, to)),
  });
  await expectWholeSnapshots(name);
});

const BETWEEN = sinkKills(2);
test.each(betweenWays('appends'))(
  `killed ${BETWEEN} times between the commit of its table and the others', a sink of $name has each record once in all of them`,
  async (way) => {
    const config = configOf(`between-${randomUUID().slice(0, 8)}`);
    await expectBetweenSurvived(
      way,
      { ...{ name: 'on S3 with REST', config, isLocal: false }, ...FROM_A_FILE },
      BETWEEN,
    );
  },
);

test('a host that is killed before, between and after its checkpoints has each record in the table once, and each batch in one snapshot', async () => {
  const name = `host-${randomUUID().slice(0, 8)}`;
  const storage = { roots: ['s3://lake'], options: { ...store.options } };
  const catalog = () => ({ catalogUri: rest.uriOf(name), catalogType: 'rest' as const, storage });
  const place = { name: 'on S3 with REST', config: configOf(name), isLocal: false, catalog };
  await expectCheckpointsSurvived({ ...place, ...FROM_FILES }, sinkKills(6));
});

const first = askedSeed ?? Math.floor(Math.random() * 2 ** 31);
const rounds = numberIn('MORAINE_SINK_ROUNDS', /^[1-9]\d{0,3}$/) ?? 1;
test.each(Array.from({ length: rounds }, (_, index) => first + index))(
  'each record is in the table once (seed %d)',
  { timeout: 300_000 },
  async (seed) => {
    await round(seed).catch((error: unknown) => {
      throw isMoraineError(error)
        ? new MoraineError(error.code, `Seed ${seed}: ${error.message}`, { cause: error })
        : error;
    });
  },
);
