/** Few rows of many entities are one file without a partition: written, read, rebuilt and folded like rows of buckets. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { currentSchema } from '../../../iceberg/index.js';
import {
  commitCompaction,
  compactDirect,
  planCompaction,
  rewriteGroup,
  tableHealth,
} from '../../../maintenance/index.js';
import {
  commitMaterialization,
  extractShard,
  materializeDirect,
  planMaterialization,
} from '../../../materialization/index.js';
import { OnlineReader, writeOnlineBatch } from '../../../online/index.js';
import type { Table } from '../../../tables/index.js';
import { compactDeps, filesOf, liveRows } from '../../support/compaction-lab.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { Lab, type SourceRow, VIEW } from '../../support/materialization-lab.js';

const BUCKETS = 8;
const NOW_US = 1_000_000n * 1_000_000n;
const ONLINE = 'moraine_online.readings';
const KEYS = Array.from({ length: 20 }, (_, index) => index);

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  lab.view = { ...VIEW, onlineBuckets: BUCKETS };
  await lab.createSource();
});
afterEach(() => lab.close());

const run = () => materializeDirect(lab.deps, { view: 'readings', nowUs: NOW_US });
const rowsAt = (at: number, v: number, keys: readonly number[] = KEYS): readonly SourceRow[] =>
  keys.map((k) => ({ k, at, v: v + k }));

const push = (rows: readonly SourceRow[], pushed = true) => lab.pushRows(rows, { pushed });

const compact = (strategy: 'latest' | 'binpack' = 'latest') =>
  compactDirect(compactDeps(lab, lab.definitions), { table: ONLINE, strategy }, { nowUs: NOW_US });

/** How many live files have a partition, and how many have none. */
async function files(): Promise<readonly [number, number]> {
  const all = await filesOf(await lab.online());
  const shared = all.filter(({ spec }) => spec.fields.length === 0);
  return [all.length - shared.length, shared.length];
}

/** The served values of keys, by the reader that decodes and by the one that runs statements. */
async function served(keys: readonly number[] = KEYS): Promise<readonly unknown[]> {
  const answers: (readonly unknown[])[] = [];
  for (const cacheBytes of [0, 2 ** 24]) {
    const reader = new OnlineReader({ ...lab.deps, cacheBytes, queueTimeoutMs: 60_000 });
    const request = { view: 'readings', entities: keys.map((k) => ({ k })), nowUs: NOW_US, readTimeoutMs: 60_000 };
    const { rows } = await reader.getOnlineFeatures(request);
    answers.push(rows.map(([value]) => value?.value));
    await reader.close();
  }
  expect(answers[1]).toEqual(answers[0]);
  return answers[0] ?? [];
}

const rowsOf = async (table: Table, select = 'k, epoch(event_timestamp)::BIGINT, v, _pushed') =>
  liveRows(lab, table, { select });

describe('one file', () => {
  it('has the rows of a batch of several buckets, and those of a run that changes few entities', async () => {
    lab.view = { ...lab.view, onlineBuckets: 256 };
    await lab.append(
      rowsAt(
        10,
        0,
        Array.from({ length: 1_000 }, (_, k) => k),
      ),
    );
    expect((await run()).commit?.files).toBeGreaterThan(200);
    await lab.append(
      rowsAt(
        20,
        5_000,
        Array.from({ length: 100 }, (_, k) => k * 10),
      ),
    );
    expect((await run()).commit).toMatchObject({ rows: 100n, files: 1 });
    expect(await push(rowsAt(30, 9_000))).toMatchObject({ rows: 20n, files: 1 });
    const { metadata } = await lab.online();
    expect(metadata.partitionSpecs.map(({ fields }) => fields.length)).toEqual([1, 0]);
    expect(metadata.defaultSpecId).toBe(0);
    expect(await served([0, 10, 15, 500, 999])).toEqual([9_000, 9_010, 9_015, 5_500, 999]);
    expect((await files())[1]).toBe(2);
  });

  it('is not made of rows of one bucket, nor of more rows than a decoded part has', async () => {
    await lab.append(rowsAt(10, 0));
    await run();
    const before = await files();
    await push(rowsAt(20, 100, [3]));
    expect(await files()).toEqual([before[0] + 1, 0]);
    const many = Array.from({ length: 16_385 }, (_, k) => k);
    const snapshots = async () => (await lab.online()).metadata.snapshots.length;
    const snapshotsBefore = await snapshots();
    expect(await push(rowsAt(30, 0, many))).toMatchObject({ rows: 16_385n, files: BUCKETS });
    // Files of all buckets come at once.
    expect(await snapshots()).toBe(snapshotsBefore + 1);
    expect(await push(rowsAt(40, 0, many.slice(1)))).toMatchObject({ rows: 16_384n, files: 1 });
    expect(await served([0, 3, 16_384])).toEqual([0, 3, 16_384]);
  });

  it('is not made of rows for columns that the table had when the write began', async () => {
    await lab.append(rowsAt(10, 0));
    await run();
    const { metadata, identifier } = await lab.online();
    const current = currentSchema(metadata);
    const fields = current.fields.map((field) =>
      field.name === 'v' ? { ...field, id: metadata.lastColumnId + 1, name: 'w' } : field,
    );
    const open = async () => {
      // A run for another definition begins.
      await lab.update(identifier, [
        { action: 'add-schema', schema: { ...current, schemaId: 1, fields } },
        { action: 'set-current-schema', schemaId: 1 },
      ]);
      return `SELECT k, 1::DOUBLE, make_timestamptz(20000000), NULL::TIMESTAMPTZ FROM range(20) AS t(k)`;
    };
    await expect(writeOnlineBatch(lab.deps, { view: 'readings', open })).rejects.toMatchObject({
      code: 'COMMIT_CONFLICT',
    });
    expect(await served([0, 3])).toEqual([0, 3]);
  });
});

describe.each([2, 3])('in format version %i', (version) => {
  beforeEach(async () => {
    await lab.append(rowsAt(10, 0));
    await run();
    if (version === 3) await new DeleteWriter(lab, { namespace: ['moraine_online'], name: 'readings' }).upgradeToV3();
  });

  it('a rebuild of buckets takes their rows from files without a partition, and keeps those of clients', async () => {
    await lab.append(rowsAt(20, 100));
    await run();
    await push(rowsAt(5, 700, [3, 4]));
    await push(rowsAt(5, 800, [1, 3, 4, 9]), false);
    await lab.deleteWhere('k = 3 OR (k = 9 AND epoch(event_ts) = 20)');
    const { plan } = await run();
    expect(plan.kind).toBe('rebuild-buckets');
    expect(await served([1, 3, 4, 9, 19])).toEqual([101, 703, 104, 9, 119]);
    const rows = await rowsOf(await lab.online());
    expect(rows.filter((row) => row.startsWith('3|'))).toEqual(['3|5|703|true']);
    expect(rows.filter((row) => row.startsWith('9|'))).toEqual(['9|10|9|false']);
    // Another key of the same buckets: of its two rows the newest was written anew, and nothing is left of them.
    expect(rows.filter((row) => row.startsWith('5|'))).toEqual(['5|20|105|false']);
    expect((await run()).plan.kind).toBe('nothing');
  });

  it('a row that is written between the plan of a rebuild and its commit stays', async () => {
    await lab.append(rowsAt(20, 100));
    await run();
    await lab.deleteWhere('epoch(event_ts) = 20 AND k < 5');
    const request = { view: 'readings', attemptId: randomUUID(), nowUs: NOW_US };
    const { planLocation } = await planMaterialization(lab.deps, request);
    const { manifestLocation } = await extractShard(lab.deps, planLocation ?? '', 0);
    await push(rowsAt(15, 500, [1, 2, 7]));
    await commitMaterialization(lab.deps, planLocation ?? '', [manifestLocation ?? '']);
    expect(await served([0, 1, 2, 5, 7])).toEqual([0, 501, 502, 105, 107]);
    expect((await rowsOf(await lab.online())).filter((row) => row.endsWith('true'))).toHaveLength(3);
  });

  it.each(['rebuild-buckets', 'full'] as const)(
    'rows of one bucket that are written between the plan of a run that rebuilds (%s) and its commit stay',
    async (kind) => {
      if (kind === 'full') await lab.catalog.dropTable((await lab.online()).identifier);
      // A table that was never materialized has rows of which nothing is known.
      await push(rowsAt(5, 300, [1, 2]));
      await lab.append(rowsAt(20, 100));
      if (kind === 'rebuild-buckets') await run();
      await lab.deleteWhere('epoch(event_ts) = 20 AND k < 5');
      const request = { view: 'readings', attemptId: randomUUID(), nowUs: NOW_US };
      const plan = await planMaterialization(lab.deps, request);
      expect(plan.kind).toBe(kind);
      const { manifestLocation } = await extractShard(lab.deps, plan.planLocation ?? '', 0);
      const before = await files();
      await push([{ k: 1, at: 15, v: 500 }]);
      expect(await files()).toEqual([before[0] + 1, before[1]]);
      const commit = await commitMaterialization(lab.deps, plan.planLocation ?? '', [manifestLocation ?? '']);
      expect(commit.outcome).toBe('committed');
      expect(await served([0, 1, 2, 5])).toEqual([0, 500, 2, 105]);
      const pushed = (await rowsOf(await lab.online())).filter((row) => row.endsWith('true'));
      expect(pushed.toSorted()).toEqual(['1|15|500|true', '1|5|301|true', '2|5|302|true']);
    },
  );

  it('a rebuild is planned again when files without a partition were folded meanwhile', async () => {
    for (const at of [20, 30, 40, 50]) {
      await lab.append(rowsAt(at, at * 10));
      await run();
    }
    await lab.deleteWhere('epoch(event_ts) = 50 AND k < 5');
    const request = { view: 'readings', attemptId: randomUUID(), nowUs: NOW_US };
    const { planLocation } = await planMaterialization(lab.deps, request);
    const { manifestLocation } = await extractShard(lab.deps, planLocation ?? '', 0);
    await compact();
    const commit = commitMaterialization(lab.deps, planLocation ?? '', [manifestLocation ?? '']);
    await expect(commit).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' });
    await run();
    expect(await served([0, 4, 5])).toEqual([400, 404, 505]);
  });

  it('a full rebuild takes all of them, but for rows of clients', async () => {
    await lab.append(rowsAt(20, 100));
    await run();
    await push(rowsAt(30, 900, [1, 2, 3]));
    lab.view = { ...lab.view, onlineBuckets: 4 };
    expect((await run()).plan.kind).toBe('full');
    expect((await files())[1]).toBe(0);
    expect(await served([1, 2, 3, 4])).toEqual([901, 902, 903, 104]);
    // The new bucket spec is the one that small writes and compaction now go by.
    for (const at of [40, 50, 60, 70]) await push(rowsAt(at, at, [1, 2, 3, 4]));
    expect((await files())[1]).toBe(4);
    await compact();
    expect((await files())[1]).toBeLessThan(2);
    expect(await served([1, 2, 3, 4])).toEqual([71, 72, 73, 74]);
  });
});

describe('compaction', () => {
  it('folds many rows into buckets, in the order of commits where times are equal', async () => {
    await lab.append(rowsAt(10, 0));
    await run();
    // Key 1: the row in a bucket is older than both others; key 2: between them; key 3: younger.
    await push([{ k: 1, at: 30, created: 1, v: 11 }]);
    await push([
      { k: 1, at: 30, created: 1, v: 99 },
      { k: 2, at: 30, created: 1, v: 99 },
      { k: 3, at: 30, created: 1, v: 99 },
    ]);
    await push([{ k: 2, at: 30, created: 1, v: 50 }]);
    await push(KEYS.map((k) => ({ k, at: k === 1 || k === 2 ? 30 : 5, created: 1, v: k === 1 ? 2 : 1 })));
    await push([{ k: 3, at: 30, created: 1, v: 3 }]);
    await push(rowsAt(6, 0, [5, 6]));
    const before = await served();
    expect(before.slice(0, 4)).toEqual([0, 2, 1, 3]);
    await compact();
    expect(await served()).toEqual(before);
    expect((await files())[1]).toBe(0);
    const all = await filesOf(await lab.online());
    expect(new Set(all.map(({ file }) => file.partition[0])).size).toBe(all.length);
  });

  it('folds many rows beside more into a file for each bucket, and leaves the older ones', async () => {
    const write = async (count: number, at: number) => {
      const time = `make_timestamptz(${at * 1_000_000})`;
      await lab.appendSelect(
        `SELECT range::BIGINT, ${time}, NULL::TIMESTAMPTZ, range + ${at}::DOUBLE FROM range(${count})`,
      );
      return (await run()).commit?.files;
    };
    expect(await write(80_000, 10)).toBe(BUCKETS);
    const old = (await filesOf(await lab.online())).map(({ file }) => file.filePath);
    for (const at of [20, 30, 40]) expect(await write(12_000, at)).toBe(1);
    expect(await compact()).toMatchObject({ groups: 1, filesRemoved: 3, filesAdded: BUCKETS, rows: 12_000n });
    expect(await files()).toEqual([2 * BUCKETS, 0]);
    const now = (await filesOf(await lab.online())).map(({ file }) => file.filePath);
    expect(old.filter((path) => !now.includes(path))).toEqual([]);
    expect(await served([0, 11_999, 12_000, 79_999])).toEqual([40, 12_039, 12_010, 80_009]);
  });

  it('keeps an eighth of the rows without a partition, in tiers: few rows are not folded with many older ones', async () => {
    const write = async (from: number, to: number, at: number) => {
      const time = `make_timestamptz(${at * 1_000_000})`;
      await lab.appendSelect(
        `SELECT range::BIGINT, ${time}, NULL::TIMESTAMPTZ, range + ${at}::DOUBLE FROM range(${from}, ${to})`,
      );
      return (await run()).commit?.files;
    };
    const sharedRows = async () =>
      (await filesOf(await lab.online()))
        .filter(({ spec }) => spec.fields.length === 0)
        .map(({ file }) => file.recordCount)
        .sort((a, b) => Number(b - a));
    expect(await write(0, 140_000, 10)).toBe(BUCKETS);
    for (const [from, to, at] of [
      [0, 9_000, 20],
      [9_000, 17_000, 21],
      [17_000, 17_100, 22],
    ] as const)
      expect(await write(from, to, at)).toBe(1);
    // More rows than one write may have, and less than an eighth of those in buckets.
    expect(await compact()).toMatchObject({ groups: 1, filesRemoved: 3, filesAdded: 1, rows: 17_100n });
    expect(await files()).toEqual([BUCKETS, 1]);
    // Equal event and created times: the newer commit wins, also over the file that stays.
    await push([{ k: 1, at: 20, v: 1 }]);
    await push(rowsAt(30, 7, [2, 3]));
    expect(await served([0, 1, 2, 17_099, 17_100])).toEqual([20, 1, 9, 17_121, 17_110]);
    expect(await compact()).toMatchObject({ groups: 1, filesRemoved: 2, filesAdded: 1, rows: 3n });
    expect(await sharedRows()).toEqual([17_100n, 3n]);
    expect(await served([0, 1, 2, 17_099, 17_100])).toEqual([20, 1, 9, 17_121, 17_110]);
    // Half as many rows as the file has: it is folded along.
    expect(await write(17_000, 26_000, 40)).toBe(1);
    expect(await compact()).toMatchObject({ groups: 1, filesAdded: BUCKETS });
    expect(await files()).toEqual([2 * BUCKETS, 0]);
    expect(await served([0, 1, 2, 17_099, 17_100, 26_000])).toEqual([20, 1, 9, 17_139, 17_140, 26_010]);
  });

  it('keeps few rows beside many in one file, and leaves buckets that nothing was added to', async () => {
    const many = Array.from({ length: 1_000 }, (_, k) => k);
    await lab.append(rowsAt(10, 0, many));
    await run();
    const [first] = await filesOf(await lab.online());
    for (const at of [20, 30]) await push(rowsAt(at, at * 100));
    expect(await compact()).toMatchObject({ groups: 0, snapshotId: null });
    await push(rowsAt(50, 5_000));
    const before = await served();
    const reads = async () => (await tableHealth(await lab.online(), 0n)).reads;
    expect(await reads()).toEqual({ filesPerRead: 4, filesPerPartition: 4, rowsPerEntity: 1.06 });
    expect(await compact()).toMatchObject({ groups: 1, filesRemoved: 3, filesAdded: 1, rows: 20n });
    expect(await reads()).toEqual({ filesPerRead: 2, filesPerPartition: 2, rowsPerEntity: 1.02 });
    expect(await files()).toEqual([BUCKETS, 1]);
    expect((await filesOf(await lab.online())).some(({ file }) => file.filePath === first?.file.filePath)).toBe(true);
    expect(await served()).toEqual(before);
  });

  it('rewrites old files of a bucket beside files that stay, without winning over them', async () => {
    const created = { created: 1 };
    await lab.append(rowsAt(10, 0));
    await run();
    for (const v of [1, 2, 3, 4]) await push([{ k: 1, at: 30, v, ...created }]);
    await push([1, 3].map((k) => ({ k, at: 30, v: 0.5, ...created })));
    const result = await compact();
    expect(result).toMatchObject({ groups: 1, filesRemoved: 5, filesAdded: 1 });
    expect(await served([1, 3])).toEqual([0.5, 0.5]);
    const seqs = await rowsOf(await lab.online(), 'k, v, seq');
    // The fifth of six commits was the last of the bucket; the sixth is older than nothing.
    expect(seqs.filter((row) => row.startsWith('1|'))).toEqual(['1|0.5|6', '1|4|5']);
  });

  it.each(['latest', 'binpack'] as const)(
    'by %s is planned again when rows of the folded files are deleted meanwhile',
    async (strategy) => {
      await lab.append(rowsAt(10, 0));
      await run();
      for (const at of [20, 30, 40, 50]) await push(rowsAt(at, at * 10));
      const deps = compactDeps(lab, lab.definitions);
      const { planLocation, groups } = await planCompaction(deps, { table: ONLINE, strategy }, { nowUs: NOW_US });
      expect(groups).toBe(1);
      const group = await rewriteGroup(deps, planLocation ?? '', 0);
      const newest = (await filesOf(await lab.online())).find(({ sequenceNumber }) => sequenceNumber === 5n);
      const writer = new DeleteWriter(lab, { namespace: ['moraine_online'], name: 'readings' });
      const place = { specId: newest?.spec.specId ?? 0, partition: [] };
      await writer.commit([await writer.positions([{ path: newest?.file.filePath ?? '', position: 3 }], place)]);
      const before = await served();
      expect(before.slice(2, 5)).toEqual([502, 403, 504]);
      expect((await commitCompaction(deps, planLocation ?? '', [group])).conflicts).toEqual([0]);
      expect(await served()).toEqual(before);
      await compact(strategy);
      expect(await served()).toEqual(before);
      expect((await files())[1]).toBe(0);
    },
  );
});
