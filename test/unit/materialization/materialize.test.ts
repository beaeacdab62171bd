/** One test for each row of the materialization table in `feature-semantics`, on real tables. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  commitMaterialization,
  extractShard,
  type MaterializationRequest,
  materializeDirect,
  planMaterialization,
} from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import { failureOf } from '../../support/error-code.js';
import { Lab, type SourceRow } from '../../support/materialization-lab.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
});
afterEach(async () => {
  await lab.close();
});

const us = (seconds: number): bigint => BigInt(seconds) * 1_000_000n;
const row = (k: number, at: number, v: number | null, created?: number): SourceRow => ({
  k,
  at,
  v,
  ...(created === undefined ? {} : { created }),
});
const run = (request: Partial<MaterializationRequest> = {}) =>
  materializeDirect(lab.deps, { view: 'readings', ...request });

/** `[key, value, event second]` of every entity that has a row at the time (default: far in the future). */
async function served(
  keys: readonly number[] = [1, 2, 3],
  nowUs = us(1_000_000),
): Promise<[number, unknown, number][]> {
  const { rows } = await getOnlineFeatures(lab.deps, {
    view: 'readings',
    entities: keys.map((k) => ({ k })),
    nowUs,
    readTimeoutMs: 60_000,
  });
  return rows.flatMap(([value], index): [number, unknown, number][] =>
    value === undefined || value.eventTimestampUs === null
      ? []
      : [[keys[index] ?? 0, value.value, Number(value.eventTimestampUs / 1_000_000n)]],
  );
}

/** Number of stored rows and of snapshots of the online table. */
async function stored(): Promise<{ rows: number; snapshots: number }> {
  const table = await lab.online();
  const [count] = await lab.query(table, 'SELECT count(*) FROM rows');
  return { rows: Number(count?.[0]), snapshots: table.metadata.snapshots.length };
}

describe('window', () => {
  it('is closed at the start and open at the end', async () => {
    await lab.append([row(1, 10, 1), row(2, 20, 2), row(3, 30, 3)]);
    const { plan } = await run({ startUs: us(10), endUs: us(30) });
    expect(plan.kind).toBe('window');
    expect(await served()).toEqual([
      [1, 1, 10],
      [2, 2, 20],
    ]);
  });

  it('fails when it starts after it ends, and has nothing to do when they are equal', async () => {
    await lab.append([row(1, 10, 1)]);
    await expect(run({ startUs: us(2), endUs: us(1) })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await run({ startUs: us(10), endUs: us(10) })).toMatchObject({ plan: { kind: 'nothing' }, commit: null });
  });

  it('does not move incremental progress: the first incremental run reads from the beginning', async () => {
    await lab.append([row(1, 10, 1), row(2, 20, 2)]);
    await run({ startUs: us(15), endUs: us(25) });
    expect(await served()).toEqual([[2, 2, 20]]);
    const { plan } = await run();
    expect(plan.kind).toBe('incremental');
    expect(await served()).toEqual([
      [1, 1, 10],
      [2, 2, 20],
    ]);
  });
});

describe('what is written', () => {
  it('is the newest row by event time, created (null loses), sequence number and value', async () => {
    await lab.append([
      row(1, 10, 9),
      row(1, 20, 1, 5),
      row(1, 20, 2, 6),
      row(1, 20, 3),
      row(2, 10, 1),
      row(3, 5, 7),
      row(3, 5, 8),
    ]);
    await lab.append([row(2, 10, 0)]);
    expect((await run()).commit?.rows).toBe(3n);
    expect(await served()).toEqual([
      [1, 2, 20],
      [2, 0, 10],
      [3, 8, 5],
    ]);
  });

  it('keeps a null of the newest row', async () => {
    await lab.append([row(1, 10, 1), row(1, 20, null)]);
    await run();
    expect(await served()).toEqual([[1, null, 20]]);
  });

  it('ignores rows without an entity', async () => {
    await lab.appendSelect(
      `SELECT NULL::BIGINT, make_timestamptz(0), NULL::TIMESTAMPTZ, 1.0::DOUBLE UNION ALL SELECT 1, NULL, NULL, 2.0`,
    );
    expect((await run()).commit?.rows ?? 0n).toBe(0n);
  });

  it('is not decided by the ttl', async () => {
    lab.view = { ...lab.view, ttlMs: 1000n };
    await lab.append([row(1, 10, 1)]);
    expect((await run()).commit?.rows).toBe(1n);
  });

  it('is one file for each bucket at most, sorted by key', async () => {
    await lab.append(Array.from({ length: 200 }, (_, k) => row(k, 1, k)));
    const { commit } = await run({ shards: 3 });
    expect(commit).toMatchObject({ rows: 200n, files: 4 });
  });
});

describe('an older row that meets a newer one', () => {
  it('stays behind it, whichever is written last', async () => {
    await lab.append([row(1, 20, 2)]);
    await run();
    await lab.append([row(1, 10, 1)]);
    expect((await run()).commit?.rows).toBe(1n);
    expect(await served()).toEqual([[1, 2, 20]]);
  });

  it('is corrected by a row of the same event time with a newer created', async () => {
    await lab.append([row(1, 10, 1, 1)]);
    await run();
    await lab.append([row(1, 10, 2, 2)]);
    await run();
    expect(await served()).toEqual([[1, 2, 10]]);
  });
});

describe('incremental progress', () => {
  it('finds a late row whatever its event time, and reads only new files', async () => {
    await lab.append([row(1, 100, 1)]);
    await run();
    await lab.append([row(2, 1, 2)]);
    const { plan } = await run();
    expect(plan).toMatchObject({ kind: 'incremental', files: 1, rows: 1n });
    expect(await served()).toEqual([
      [1, 1, 100],
      [2, 2, 1],
    ]);
  });

  it('commits nothing when nothing is new', async () => {
    await lab.append([row(1, 1, 1)]);
    await run();
    expect(await run()).toMatchObject({ plan: { kind: 'nothing' }, commit: null });
    expect(await stored()).toEqual({ rows: 1, snapshots: 1 });
  });

  it('says that an empty source has nothing', async () => {
    expect(await run()).toMatchObject({ plan: { kind: 'nothing' }, commit: null });
  });

  it('is in a property and in the summary, naming the snapshot', async () => {
    const source = await lab.append([row(1, 1, 1)]);
    const { commit } = await run();
    const { metadata } = await lab.online();
    const property = JSON.parse(metadata.properties.get('moraine.progress') ?? '') as Record<string, unknown>;
    expect(property).toMatchObject({
      'snapshot-id': String(commit?.snapshotId),
      incremental: { 'source-snapshot-id': String(source), 'held-back-from-us': null },
      coverage: [{ 'start-us': null, 'end-us': null, 'source-snapshot-id': String(source) }],
    });
    const copy = metadata.snapshots[0]?.summary.get('moraine.progress') ?? '{}';
    expect(JSON.parse(copy)).toMatchObject({ incremental: property['incremental'] });
  });
});

describe('incremental with an end', () => {
  it('holds back later rows, and the next run reads from the smallest of them', async () => {
    await lab.append([row(1, 10, 1), row(2, 20, 2), row(3, 30, 3)]);
    await run({ endUs: us(20) });
    expect(await served()).toEqual([[1, 1, 10]]);
    const progress = JSON.parse((await lab.online()).metadata.properties.get('moraine.progress') ?? '') as {
      incremental: object;
    };
    expect(progress.incremental).toMatchObject({ 'held-back-from-us': '20000000' });
    await lab.append([row(1, 15, 4)]);
    await run();
    expect(await served()).toEqual([
      [1, 4, 15],
      [2, 2, 20],
      [3, 3, 30],
    ]);
  });

  it('records the snapshot also when all that is new is held back', async () => {
    await lab.append([row(1, 10, 1)]);
    await run({ endUs: us(20) });
    await lab.append([row(1, 30, 9)]);
    expect(await run({ endUs: us(20) })).toMatchObject({ plan: { kind: 'nothing' }, commit: { rows: 0n } });
    await lab.expire();
    expect((await run()).plan.kind).toBe('incremental');
    expect(await served([1])).toEqual([[1, 9, 30]]);
  });

  it('is not blocked by an end in the far future', async () => {
    await lab.append([row(1, 10, 1)]);
    await run({ endUs: us(10_000_000) });
    await lab.append([row(1, 11, 2)]);
    await run({ endUs: us(12) });
    expect(await served()).toEqual([[1, 2, 11]]);
  });
});

describe('rows from the future', () => {
  it('are stored, and served from their time on', async () => {
    await lab.append([row(1, 10, 1)]);
    await run();
    await lab.append([row(1, 5000, 2)]);
    await run();
    expect(await served([1], us(4999))).toEqual([[1, 1, 10]]);
    expect(await served([1], us(5000))).toEqual([[1, 2, 5000]]);
  });

  it('in the same run hide no row of the present, and each takes over in its time', async () => {
    await lab.append([row(1, 9, 0), row(1, 10, 1), row(1, 5000, 2), row(1, 6000, 3), row(2, 7000, 4)]);
    await run({ nowUs: us(4000) });
    expect((await stored()).rows).toBe(4);
    const answers = [10, 4999, 5000, 5999, 6000, 7000].map(async (at) => [at, ...(await served([1, 2], us(at)))]);
    expect(await Promise.all(answers)).toEqual([
      [10, [1, 1, 10]],
      [4999, [1, 1, 10]],
      [5000, [1, 2, 5000]],
      [5999, [1, 2, 5000]],
      [6000, [1, 3, 6000]],
      [7000, [1, 3, 6000], [2, 4, 7000]],
    ]);
  });

  it('that tie but for their commits: the later commit is served, as retrieval does, also after a rebuild', async () => {
    const values = [30, 10];
    for (const v of values) await lab.append([row(1, 50, v), row(1, 60, v, 7), row(2, 10, v)]);
    await run({ nowUs: us(20) });
    const later = [
      [1, 10, 50],
      [2, 10, 10],
    ];
    expect(await served([1, 2], us(50))).toEqual(later);
    expect(await stored()).toMatchObject({ rows: 3 });
    await lab.deleteWhere('k = 2 AND v = 10');
    expect((await run({ nowUs: us(20) })).plan.kind).toBe('rebuild-buckets');
    expect(await served([1], us(50))).toEqual([[1, 10, 50]]);
    expect(await served([1], us(60))).toEqual([[1, 10, 60]]);
    // An earlier created time loses, whatever its commit.
    await lab.append([row(1, 60, 99, 6), row(1, 50, 5)]);
    await run({ nowUs: us(20) });
    expect(await served([1], us(50))).toEqual([[1, 5, 50]]);
    expect(await served([1], us(60))).toEqual([[1, 10, 60]]);
  });

  it('a row at the very present is of the present', async () => {
    await lab.append([row(1, 10, 1), row(1, 20, 2)]);
    await run({ nowUs: us(20) });
    expect((await stored()).rows).toBe(1);
    expect(await served([1], us(20))).toEqual([[1, 2, 20]]);
  });

  it('stay when their bucket is rebuilt', async () => {
    await lab.append([row(1, 10, 1), row(1, 5000, 2)]);
    await run({ nowUs: us(4000) });
    await lab.updateWhere('k = 1 AND epoch(event_ts) = 10', 7);
    expect((await run({ nowUs: us(4001) })).plan.kind).toBe('rebuild-buckets');
    expect(await served([1], us(4999))).toEqual([[1, 7, 10]]);
    expect(await served([1], us(5000))).toEqual([[1, 2, 5000]]);
  });
});

describe('what happened to the source', () => {
  beforeEach(async () => {
    await lab.append([row(1, 10, 1), row(1, 5, 0), row(2, 10, 2)]);
    await lab.append([row(3, 10, 3)]);
    await run();
  });

  it('compacted: nothing new', async () => {
    await lab.compact();
    expect(await run()).toMatchObject({
      plan: { kind: 'nothing', shards: 0, files: 0 },
      commit: { rows: 0n, files: 0 },
    });
    await lab.append([row(2, 11, 4)]);
    expect((await run()).plan).toMatchObject({ kind: 'incremental', files: 1 });
    expect(await served()).toEqual([
      [1, 1, 10],
      [2, 4, 11],
      [3, 3, 10],
    ]);
  });

  it('rows deleted: the touched buckets are rebuilt from the source, keeping pushed rows', async () => {
    await lab.push(row(1, 7, 70));
    await lab.push(row(2, 50, 71));
    await lab.deleteWhere('k = 1 AND epoch(event_ts) = 10');
    const { plan } = await run();
    expect(plan).toMatchObject({ kind: 'rebuild-buckets', reason: 'rows were deleted or overwritten in demo.source' });
    expect(await served()).toEqual([
      [1, 70, 7],
      [2, 71, 50],
      [3, 3, 10],
    ]);
  });

  it('rows deleted where rows were pushed that tie: the one that was pushed last stays', async () => {
    for (const v of [30, 10]) await lab.push(row(1, 50, v));
    await lab.push(row(1, 60, 8, 9));
    await lab.push(row(1, 60, 9, 8));
    const times = [50, 60];
    const answers = async () => Promise.all(times.map((at) => served([1], us(at))));
    const expected = [[[1, 10, 50]], [[1, 8, 60]]];
    expect(await answers()).toEqual(expected);
    await lab.deleteWhere('k = 1 AND epoch(event_ts) = 10');
    expect((await run()).plan.kind).toBe('rebuild-buckets');
    expect(await answers()).toEqual(expected);
  });

  it('rows overwritten: the new values are served', async () => {
    await lab.updateWhere('k = 2', 20);
    expect((await run()).plan.kind).toBe('rebuild-buckets');
    expect(await served()).toEqual([
      [1, 1, 10],
      [2, 20, 10],
      [3, 3, 10],
    ]);
  });

  it('all rows of an entity deleted: it is not found', async () => {
    await lab.deleteWhere('k = 3');
    await run();
    expect(await served()).toEqual([
      [1, 1, 10],
      [2, 2, 10],
    ]);
  });

  it('rolled back: a full rebuild, said in the result', async () => {
    const before = (await lab.source()).metadata.currentSnapshotId ?? 0n;
    await lab.append([row(1, 99, 9)]);
    await run();
    await lab.rollback('source', before);
    const { plan } = await run();
    expect(plan.kind).toBe('full');
    expect(plan.reason).toContain('rolled back');
    expect(await served([1])).toEqual([[1, 1, 10]]);
  });

  it('dropped and created again: a full rebuild, said in the result', async () => {
    await lab.dropSource();
    await lab.createSource();
    await lab.append([row(2, 1, 5)]);
    const { plan } = await run();
    expect(plan.kind).toBe('full');
    expect(plan.reason).toContain('dropped and created again');
    expect(await served()).toEqual([[2, 5, 1]]);
  });

  it('the last materialized snapshot expired: a full run, said in the result', async () => {
    await lab.append([row(2, 12, 6)]);
    await lab.expire();
    const { plan } = await run();
    expect(plan.kind).toBe('full');
    expect(plan.reason).toContain('expired');
    expect(await served()).toEqual([
      [1, 1, 10],
      [2, 6, 12],
      [3, 3, 10],
    ]);
  });

  it('a run that finds nothing records the snapshot it has read: that the older one expires costs nothing', async () => {
    const compacted = await lab.compact();
    expect(await run()).toMatchObject({ plan: { kind: 'nothing' }, commit: { outcome: 'committed' } });
    expect(await stored()).toEqual({ rows: 3, snapshots: 2 });
    const { metadata } = await lab.online();
    expect(JSON.parse(metadata.properties.get('moraine.progress') ?? '')).toMatchObject({
      'snapshot-id': String(metadata.currentSnapshotId),
      incremental: { 'source-snapshot-id': String(compacted), 'held-back-from-us': null },
      coverage: [{ 'start-us': null, 'end-us': null, 'source-snapshot-id': String(compacted) }],
    });
    expect(await run()).toMatchObject({ plan: { kind: 'nothing' }, commit: null });
    await lab.expire();
    await lab.append([row(2, 12, 6)]);
    expect((await run()).plan).toMatchObject({ kind: 'incremental', files: 1, rows: 1n });
    expect(await served()).toEqual([
      [1, 1, 10],
      [2, 6, 12],
      [3, 3, 10],
    ]);
  });

  it('rows deleted on both sides of a window: looked through once, and nothing in it is touched', async () => {
    await lab.append([row(2, 12, 5), row(2, 30, 6)]);
    await run();
    await lab.deleteWhere('v >= 5');
    const window = { startUs: us(15), endUs: us(25) };
    expect(await run(window)).toMatchObject({
      plan: { kind: 'nothing', reason: 'no rows changed in the window' },
      commit: { rows: 0n },
    });
    expect(await run(window)).toMatchObject({
      plan: { reason: expect.stringMatching(/^nothing new in \S+ since snapshot \d+$/) as string },
      commit: null,
    });
    expect(await served([2])).toEqual([[2, 6, 30]]);
    expect((await run()).plan.kind).toBe('rebuild-buckets');
    expect(await served([2])).toEqual([[2, 2, 10]]);
  });

  it('a window in which nothing happened is recorded at the snapshot it was read at, and moves nothing else', async () => {
    await lab.append([row(1, 30, 9)]);
    expect(await run({ startUs: us(0), endUs: us(20) })).toMatchObject({
      plan: { kind: 'nothing' },
      commit: { rows: 0n },
    });
    expect(await run({ startUs: us(0), endUs: us(20) })).toMatchObject({ plan: { kind: 'nothing' }, commit: null });
    expect(await served([1])).toEqual([[1, 1, 10]]);
    await run();
    expect(await served([1])).toEqual([[1, 9, 30]]);
  });

  it('the definition changed: a full rebuild that keeps field ids and pushed rows, said in the result', async () => {
    const idOf = async (name: string) => {
      const { metadata } = await lab.online();
      return metadata.schemas
        .find((schema) => schema.schemaId === metadata.currentSchemaId)
        ?.fields.find((field) => field.name === name)?.id;
    };
    const before = await idOf('v');
    await lab.push(row(3, 60, 33));
    lab.view = {
      ...lab.view,
      features: [{ name: 'v' }, { name: 'created_at' }],
      source: { table: 'demo.source', timestampField: 'event_ts', fieldMapping: new Map([['created', 'created_at']]) },
    };
    const { plan } = await run();
    expect(plan.kind).toBe('full');
    expect(plan.reason).toContain('features');
    expect(await idOf('v')).toBe(before);
    expect(await served()).toEqual([
      [1, 1, 10],
      [2, 2, 10],
      [3, 33, 60],
    ]);
  });

  it('the join keys changed: refused, with every row kept, until the table is dropped', async () => {
    await lab.push(row(3, 60, 33));
    const before = await lab.online();
    await lab.append([row(1, 1, 1, 5), row(1, 2, 2, 5), row(1, 1, 3, 6)]);
    lab.joinKeys = ['k', 'batch'];
    const source = { table: 'demo.source', timestampField: 'event_ts', fieldMapping: new Map([['created', 'batch']]) };
    lab.view = { ...lab.view, source };
    expect(await failureOf(run())).toMatchObject({
      code: 'ONLINE_TABLE_INCOMPATIBLE',
      message: expect.stringContaining('its join keys are k, those of the view k, batch.') as unknown,
      remedy: expect.stringContaining('`moraine online teardown readings --yes`') as unknown,
    });
    expect((await lab.online()).metadataLocation).toBe(before.metadataLocation);
    await lab.deps.catalog.dropTable(before.identifier);
    await run();
    const keys = 'SELECT _entity_key, v FROM rows ORDER BY v';
    expect(await lab.query(await lab.online(), keys)).toEqual([
      ['i1:1t7:5000000', 2],
      ['i1:1t7:6000000', 3],
    ]);
  });

  it('a changed ttl is no change', async () => {
    lab.view = { ...lab.view, ttlMs: 5n };
    expect((await run()).plan.kind).toBe('nothing');
  });
});

describe('the online table rolled back', () => {
  it('is brought forward again, although the same work was committed once', async () => {
    await lab.append([row(1, 1, 1)]);
    const first = await run();
    await lab.append([row(1, 2, 2)]);
    const second = await run();
    await lab.rollback('online', first.commit?.snapshotId ?? 0n);
    expect(await served([1])).toEqual([[1, 1, 1]]);
    const third = await run();
    expect(third.commit).toMatchObject({ outcome: 'committed' });
    expect(third.plan.runKey).not.toBe(second.plan.runKey);
    expect(await served([1])).toEqual([[1, 2, 2]]);
  });
});

describe('a run that is killed, repeated or late', () => {
  const plan = async (request: Partial<MaterializationRequest> = {}): Promise<string> =>
    (await planMaterialization(lab.deps, { view: 'readings', attemptId: randomUUID(), ...request })).planLocation ?? '';
  const extract = async (location: string): Promise<string> =>
    (await extractShard(lab.deps, location, 0)).manifestLocation ?? '';

  it('commits one snapshot however often commit is called', async () => {
    await lab.append([row(1, 1, 1)]);
    const location = await plan();
    const manifest = await extract(location);
    const first = await commitMaterialization(lab.deps, location, [manifest]);
    const again = await commitMaterialization(lab.deps, location, [manifest]);
    expect(again).toEqual({ ...first, outcome: 'already-committed' });
    expect(await stored()).toEqual({ rows: 1, snapshots: 1 });
  });

  it('gives two plans of the same work the same key, and commits one of them', async () => {
    await lab.append([row(1, 1, 1)]);
    const [one, two] = [await plan(), await plan()];
    const late = await extract(one);
    const committed = await commitMaterialization(lab.deps, two, [await extract(two)]);
    const answer = await commitMaterialization(lab.deps, one, [late]);
    expect(answer).toMatchObject({ outcome: 'already-committed', snapshotId: committed.snapshotId });
    expect(await stored()).toEqual({ rows: 1, snapshots: 1 });
  });

  it('records a run without rows once however often its commit is called', async () => {
    await lab.append([row(1, 1, 1)]);
    await run();
    await lab.compact();
    const location = await plan();
    const first = await commitMaterialization(lab.deps, location, []);
    expect(await commitMaterialization(lab.deps, location, [])).toEqual({ ...first, outcome: 'already-committed' });
    expect(await stored()).toEqual({ rows: 1, snapshots: 2 });
  });

  it('stages other files in every attempt', async () => {
    await lab.append([row(1, 1, 1)]);
    const location = await plan();
    expect(await extract(location)).not.toBe(await extract(location));
  });

  it('is refused when other work has moved the progress meanwhile', async () => {
    await lab.append([row(1, 1, 1)]);
    const stale = await plan({ endUs: us(100) });
    const manifest = await extract(stale);
    await run();
    await expect(commitMaterialization(lab.deps, stale, [manifest])).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' });
  });

  it('is refused when the source was dropped and created again meanwhile', async () => {
    await lab.append([row(1, 1, 1)]);
    const location = await plan();
    const manifest = await extract(location);
    await lab.dropSource();
    await lab.createSource();
    await expect(commitMaterialization(lab.deps, location, [manifest])).rejects.toMatchObject({
      code: 'TABLE_REPLACED',
    });
    expect((await stored()).snapshots).toBe(0);
  });

  it('keeps a row that was pushed into a rebuilt bucket meanwhile', async () => {
    await lab.append([row(1, 1, 1), row(1, 2, 2)]);
    await run();
    await lab.deleteWhere('epoch(event_ts) = 2');
    const location = await plan();
    const manifest = await extract(location);
    await lab.push(row(1, 9, 9));
    expect(await commitMaterialization(lab.deps, location, [manifest])).toMatchObject({ outcome: 'committed' });
    expect(await served([1])).toEqual([[1, 9, 9]]);
    const rows = await lab.query(await lab.online(), 'SELECT v::INT FROM rows ORDER BY v');
    expect(rows).toEqual([[1], [9]]);
  });

  it('a correction that is pushed while a run rebuilds wins over what it corrects', async () => {
    await lab.append([row(1, 1, 1), row(1, 2, 2)]);
    await run();
    await lab.push(row(1, 9, 5));
    await lab.deleteWhere('epoch(event_ts) = 2');
    const location = await plan();
    const manifest = await extract(location);
    await lab.push(row(1, 9, 7));
    expect(await commitMaterialization(lab.deps, location, [manifest])).toMatchObject({ outcome: 'committed' });
    expect(await served([1])).toEqual([[1, 7, 9]]);
    await lab.append([row(1, 3, 3)]);
    await run();
    await lab.deleteWhere('epoch(event_ts) = 3');
    expect((await run()).plan.kind).toBe('rebuild-buckets');
    expect(await served([1])).toEqual([[1, 7, 9]]);
  });
});
