/** Pushes to a source table that are committed together: which of them may be, which row wins, and what their keys find. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { appendPushed, appendPushes, areAlike, findPushed, type SourcePush } from '../../../client/push-append.js';
import { type PushTo, planPush } from '../../../client/push-plan.js';
import { createMoraine, type Moraine, parseSchema } from '../../../index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';
import { idempotencyKey } from '../../../tables/index.js';

const COLUMNS = { k: 'long', ts: 'timestamptz', made: 'timestamptz', s: 'string' };
const DAY_US = 86_400_000_000n;
const T1 = BigInt(Date.parse('2026-01-01T00:00:00Z')) * 1000n;
const T2 = T1 + DAY_US;
/** Keys are valid for 24 hours. */
const NOW = BigInt(Date.now()) * 1000n;

let moraine: Moraine;
let folder: string;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-push-groups-')));
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 1 } };
  moraine = await createMoraine({ cwd: folder, config });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A table with a view that has no created time, and where it is asked for one that has. */
async function world(name: string, hasCreated = false): Promise<void> {
  const fields = Object.entries(COLUMNS).map(([column, type], index) => ({
    ...{ id: index + 1, name: column, required: false, type },
  }));
  await moraine.createTable(`shop.${name}`, { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
  const source = { table: `shop.${name}`, timestampField: 'ts' };
  const view = { entities: ['thing'], pushSource: name, online: true, features: ['s'] };
  await moraine.apply({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [
      hasCreated
        ? { ...view, name: `${name}_made`, source: { ...source, createdTimestampField: 'made' } }
        : { ...view, name: `${name}_plain`, source },
    ],
  });
}

type Row = readonly [k: bigint, ts: bigint, made: bigint | null, s: string];

async function pushOf(
  name: string,
  rows: readonly Row[],
  { key, nowUs = NOW, to = 'offline' }: { key?: SourcePush['key']; nowUs?: bigint; to?: PushTo } = {},
): Promise<SourcePush> {
  const { tables } = await planPush(await materializationDeps(moraine.project), name, to);
  const [target] = tables;
  if (target === undefined) throw new Error('no table');
  return { target, rows: { read: () => rows }, nowUs, isOnline: to !== 'offline', key };
}

async function append(pushes: readonly SourcePush[]) {
  const outcomes = await appendPushes((await materializationDeps(moraine.project)).engine, pushes);
  return outcomes.map((outcome) => ('error' in outcome ? (outcome.error as Error) : outcome.result));
}

/** Rows that each commit has added. */
const commits = async (name: string): Promise<(string | undefined)[]> =>
  (await moraine.project.loadTable(`shop.${name}`)).metadata.snapshots.map(({ summary }) =>
    summary.get('added-records'),
  );

/** Places of the commits that the pushes are in. */
async function placesOf(name: string, results: Awaited<ReturnType<typeof append>>): Promise<number[]> {
  const { snapshots } = (await moraine.project.loadTable(`shop.${name}`)).metadata;
  return results.map((result) =>
    snapshots.findIndex(({ snapshotId }) => 'snapshotId' in result && snapshotId === result.snapshotId),
  );
}

it('pushes of different entities or times are one commit, which each of them names with its own rows', async () => {
  await world('a');
  const results = await append([
    await pushOf('a', [
      [1n, T1, null, 'one'],
      [2n, T1, null, 'two'],
    ]),
    await pushOf('a', []),
    await pushOf('a', [[1n, T2, null, 'one later']]),
  ]);
  expect(await commits('a')).toEqual(['3']);
  expect(await placesOf('a', results)).toEqual([0, -1, 0]);
  expect(results).toMatchObject([
    { table: 'shop.a', outcome: 'committed', rows: 2n, files: 1 },
    { table: 'shop.a', outcome: 'nothing', snapshotId: null, rows: 0n },
    { table: 'shop.a', outcome: 'committed', rows: 1n, files: 1 },
  ]);
});

it('of rows that tie, that of the later push wins, whatever its value', async () => {
  await world('b');
  const row = (s: string): readonly Row[] => [[1n, T1, null, s]];
  const results = await append([
    await pushOf('b', row('z')),
    await pushOf('b', [[2n, T1, null, 'other']]),
    await pushOf('b', row('m')),
    await pushOf('b', row('a')),
  ]);
  expect(await placesOf('b', results)).toEqual([0, 0, 1, 2]);
  expect(await commits('b')).toEqual(['2', '1', '1']);
  await materializeDirect(await materializationDeps(moraine.project), { view: 'b_plain' });
  const { rows } = await moraine.getOnlineFeatures({ view: 'b_plain', entities: [{ k: 1 }], readTimeoutMs: 60_000 });
  expect(rows[0]?.map(({ value }) => value)).toEqual(['a']);
});

it('rows without a created time tie only if their pushes have the same time', async () => {
  await world('c', true);
  const row = (s: string): readonly Row[] => [[1n, T1, null, s]];
  const pushes = [
    await pushOf('c', row('z'), { nowUs: NOW }),
    await pushOf('c', row('y'), { nowUs: NOW + 1000n }),
    await pushOf('c', row('x'), { nowUs: NOW + 1000n }),
    await pushOf('c', [[1n, T1, T2, 'given']], { nowUs: NOW + 2000n }),
  ];
  expect(await placesOf('c', await append(pushes))).toEqual([0, 0, 1, 0]);
});

it('a key is written once, by one of a group or by an earlier commit that the group did not see', async () => {
  await world('d');
  const key = idempotencyKey('d', '1'.repeat(16));
  const other = { ...key, content: '2'.repeat(16) };
  const before = idempotencyKey('before', '3'.repeat(16));
  const rows: readonly Row[] = [[1n, T1, null, 'x']];
  const stale = await pushOf('d', [[9n, T1, null, 'twice']], { key: before });
  const { engine } = await materializationDeps(moraine.project);
  const first = await appendPushed(
    engine,
    await pushOf('d', [[9n, T1, null, 'once']], { key: before, nowUs: NOW - 5000n }),
  );
  const results = await append([
    stale,
    await pushOf('d', rows, { key }),
    await pushOf('d', rows, { key }),
    await pushOf('d', rows, { key: other }),
    {
      ...(await pushOf('d', rows)),
      rows: {
        read: () => {
          throw new RangeError('unreadable');
        },
      },
    },
    await pushOf('d', [[3n, T1, null, 'y']]),
  ]);
  expect(results).toMatchObject([
    { outcome: 'already-committed', snapshotId: first.snapshotId },
    { outcome: 'committed', rows: 1n },
    { outcome: 'already-committed' },
    { code: 'IDEMPOTENCY_KEY_REUSED' },
    { message: 'unreadable' },
    { outcome: 'committed', rows: 1n },
  ]);
  expect(await placesOf('d', results)).toEqual([0, 1, 1, -1, -1, 1]);
  expect(await commits('d')).toEqual(['1', '2']);
  const table = await moraine.project.loadTable('shop.d');
  // The time of the push, not of the commit.
  expect(await findPushed(table, before)).toEqual({ snapshotId: first.snapshotId, pushedAtUs: NOW - 5000n });
});

it('pushes that write online tables, too, are not in one commit with others', async () => {
  await world('e');
  const [offline, both] = [await pushOf('e', []), await pushOf('e', [], { to: 'online_and_offline' })];
  expect([areAlike(offline, offline), areAlike(offline, both)]).toEqual([true, false]);
});
