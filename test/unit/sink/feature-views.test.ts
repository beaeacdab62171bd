/** Online tables of feature views get each batch of a sink before the next one is committed, whoever has the sink. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonObjects, type RecordValue } from '../../../client/index.js';
import { createMoraine, type Moraine, MoraineError, parseSchema } from '../../../index.js';
import { compactDirect } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { compactDeps, materializationDeps, openProjectSink } from '../../../project/index.js';
import { IcebergSink } from '../../../sink/index.js';
import { commitUpdates } from '../../../tables/index.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';

const COLUMNS = { k: 'long', at: 'timestamptz', n: 'long' };
const MANUAL = { batchSize: Infinity, batchIntervalMs: Infinity };
let moraine: Moraine;
let folder: string;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-sink-views-')));
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 1 } };
  moraine = await createMoraine({ cwd: folder, config });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A table, and two views of it that differ in their names alone. */
async function world(name: string): Promise<void> {
  const fields = Object.entries(COLUMNS).map(([column, type], index) => {
    return { id: index + 1, name: column, required: column !== 'n', type };
  });
  const table = `shop.${name}`;
  await moraine.createTable(table, { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields }) });
  const view = { online: true, entities: ['thing'], source: { table, timestampField: 'at' }, features: ['n'] };
  await moraine.apply({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [
      { ...view, name },
      { ...view, name: `${name}_twin` },
    ],
  });
}

/** An event of an hour of 2026-01-01. */
const event = (k: number, hour: number, n: number): Readonly<Record<string, RecordValue>> => {
  return { k, at: `2026-01-01T${String(hour).padStart(2, '0')}:00:00Z`, n };
};
type Event = ReturnType<typeof event>;

/** Gives events to a sink as the next of partition `p`. */
async function write(sink: IcebergSink, ...events: readonly Event[]): Promise<void> {
  const from = sink.positions.get('p') ?? 0n;
  const range = { partition: 'p', from, to: from + BigInt(events.length) };
  await sink.writer(0).writeBatch(jsonObjects(events, { from, partition: 'p' }), range);
}

async function served(view: string, ...keys: readonly number[]): Promise<readonly unknown[]> {
  const entities = keys.map((k) => ({ k }));
  const limits = { maxStalenessMs: 0, readTimeoutMs: 60_000 };
  const { rows } = await moraine.getOnlineFeatures({ features: [`${view}:n`], entities, ...limits });
  return rows.map(([value]) => (value?.status === 'NOT_FOUND' ? null : Number(value?.value)));
}

const open = (name: string, options: Partial<Parameters<typeof openProjectSink>[2]> = {}) =>
  openProjectSink(moraine.project, `shop.${name}`, { ...MANUAL, name: 's', materialize: [name], ...options });

test('what is committed is served once the commit is told of, the newest row of each key, late rows and corrections as they come', async () => {
  await world('told');
  const sink = await open('told');
  await write(sink, event(1, 5, 10), event(2, 5, 20), event(1, 4, 11));
  await sink.flush();
  expect(await served('told', 1, 2, 3)).toEqual([10, 20, null]);
  await write(sink, event(1, 3, 12), event(2, 5, 21), event(3, 1, 30));
  await sink.flush();
  expect(await served('told', 1, 2, 3)).toEqual([10, 21, 30]);
  await sink.close();
});

test('rows of others and compactions in between are no obstacle, and what is served is what a materialization of the table serves', async () => {
  await world('twin');
  const sink = await open('twin');
  const other = await open('twin', { name: 'other', materialize: undefined });
  for (let round = 0; round < 6; round += 1) {
    await write(sink, event(round % 3, 2 + (round % 4), round), event(7, round, 100 + round));
    if (round % 2 === 0) {
      await write(other, event(8, round, 200 + round));
      await other.flush();
    }
    if (round === 3)
      await compactDirect(await compactDeps(moraine.project), { table: 'shop.twin', strategy: 'binpack' });
    await sink.flush();
  }
  await sink.close();
  await other.close();
  await materializeDirect(await materializationDeps(moraine.project), { view: 'twin_twin' });
  const keys = [0, 1, 2, 7, 8];
  expect(await served('twin', ...keys)).toEqual(await served('twin_twin', ...keys));
  expect(await served('twin', ...keys)).toEqual([3, 1, 2, 105, 204]);
  const { metadata } = await moraine.project.loadTable('moraine_online.twin');
  // One commit for each batch, or none where it brought nothing.
  expect(metadata.snapshots.length).toBe(6);
});

test('a batch that a dead process has committed is served by the next one before anything else, whatever its options', async () => {
  await world('died');
  const dies = () => Promise.reject(new MoraineError('STORAGE_UNAVAILABLE', 'The process is about to die.'));
  const { catalog, identifier } = await moraine.project.resolveTable('shop.died');
  const deps = { catalog, io: moraine.project.io, engine: await moraine.project.engine(), materialize: dies };
  const first = await IcebergSink.open(deps, { ...MANUAL, table: identifier, name: 's', materialize: ['died'] });
  await write(first, event(1, 5, 10));
  expect(await rejectionCode(first.flush())).toBe('STORAGE_UNAVAILABLE');
  // Neither does the next batch overtake it.
  await first.writer(0).writeBatch(jsonObjects([event(1, 6, 11)]), { partition: 'p', from: 1n, to: 2n });
  expect(await rejectionCode(first.flush())).toBe('STORAGE_UNAVAILABLE');
  const next = await open('died', { materialize: undefined });
  expect(next.positions.get('p')).toBe(1n);
  expect(await served('died', 1)).toEqual([10]);
  await next.close();
});

test('after a rollback of the table its next batch serves what the table has then', async () => {
  await world('back');
  const sink = await open('back');
  await write(sink, event(1, 5, 10), event(2, 5, 20));
  const { snapshotId } = await sink.flush();
  await write(sink, event(1, 6, 11), event(3, 6, 30));
  await sink.flush();
  await sink.close();
  const table = await moraine.project.loadTable('shop.back');
  const ref = { type: 'branch', snapshotId: snapshotId ?? 0n } as const;
  await commitUpdates(table, ({ currentSnapshotId }) =>
    currentSnapshotId === snapshotId ? null : [{ action: 'set-snapshot-ref', refName: 'main', ref }],
  );
  const next = await open('back');
  expect(next.positions.get('p')).toBe(2n);
  await write(next, event(2, 4, 21));
  await next.flush();
  await next.close();
  expect(await served('back', 1, 2, 3)).toEqual([10, 20, null]);
});

test('without the project that has the views the work is not forgotten', async () => {
  await world('alone');
  const sink = await open('alone');
  const { catalog, identifier } = await moraine.project.resolveTable('shop.alone');
  const bare = { catalog, io: moraine.project.io, engine: await moraine.project.engine() };
  await write(sink, event(1, 5, 10));
  await sink.flush();
  await sink.close();
  const again = (abandonLost: boolean) =>
    IcebergSink.open(bare, { ...MANUAL, table: identifier, name: 's', abandonLost });
  expect(await failureOf(again(false))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { sink: 's', view: 'alone' },
  });
  await (await again(true)).close();
});

test('a view that is dropped, or not online any more, lacks nothing', async () => {
  await world('gone');
  const sink = await open('gone', { materialize: ['gone', 'gone_twin'] });
  await moraine.apply({ featureViews: [] }, { prune: true });
  await write(sink, event(1, 5, 10));
  expect((await sink.flush()).rows).toBe(1n);
  await sink.close();
});

test('an upsert is served where its key is that of the view and its order the event time', async () => {
  await world('kept');
  const upsert = { key: ['k'], order: 'at' };
  const sink = await open('kept', { upsert });
  await write(sink, event(1, 5, 10), event(2, 5, 20));
  await sink.flush();
  await write(sink, event(1, 6, 11), event(2, 4, 21), event(1, 6, 12));
  await sink.flush();
  await sink.close();
  expect(await served('kept', 1, 2)).toEqual([12, 20]);
  await materializeDirect(await materializationDeps(moraine.project), { view: 'kept_twin' });
  expect(await served('kept_twin', 1, 2)).toEqual([12, 20]);
});

test('views that the sink cannot serve are refused before the table is claimed', async () => {
  await world('mine');
  await world('other');
  const before = (await moraine.project.loadTable('shop.mine')).metadata.snapshots.length;
  const refusal = async (options: Parameters<typeof open>[1]) => {
    const failure = await failureOf(open('mine', options));
    return [failure.code, failure.message] as const;
  };
  expect((await refusal({ materialize: ['mein'] }))[0]).toBe('FEATURE_VIEW_NOT_FOUND');
  expect(await refusal({ materialize: ['other'] })).toEqual([
    'INVALID_ARGUMENT',
    expect.stringContaining("Feature view 'other' reads shop.other, and the sink writes shop.mine"),
  ]);
  const created = { table: 'shop.mine', timestampField: 'at', createdTimestampField: 'at' };
  const view = { online: true, entities: ['thing'], source: created, features: ['n'] };
  await moraine.apply({ featureViews: [{ ...view, name: 'mine_created' }] });
  const upsert = { key: ['k'], order: 'at' };
  expect(await refusal({ materialize: ['mine_created'], upsert })).toEqual([
    'INVALID_ARGUMENT',
    expect.stringContaining('the key is k, the order is at and the view has no created timestamp field'),
  ]);
  for (const upsert of [
    { key: ['k', 'n'], order: 'at' },
    { key: ['k'], order: 'n' },
  ])
    expect((await refusal({ upsert }))[1]).toContain('the key is k, the order is at');
  expect((await moraine.project.loadTable('shop.mine')).metadata.snapshots.length).toBe(before);
});
