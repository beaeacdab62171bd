/** Rows of decoded parts whose files a compaction wrote anew: they are served, and the new files are not read. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  type CompactRequest,
  commitCompaction,
  compactDirect,
  planCompaction,
  previewCompaction,
  rewriteGroup,
} from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader, type OnlineRequest, writeOnlineBatch } from '../../../online/index.js';
import { compactDeps, filesOf } from '../../support/compaction-lab.js';
import { type Gate, gated } from '../../support/gated-engine.js';
import { Lab } from '../../support/materialization-lab.js';
import { partsDecoded } from '../../support/parts-decoded.js';

const us = (seconds: number): bigint => BigInt(seconds) * 1_000_000n;
const NOW = us(1_000_000);
const KEYS = 40_000;
const COMPACT = { table: 'moraine_online.readings', strategy: 'latest' } as const;

let lab: Lab;
let reader: OnlineReader;
let gate: Gate;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
  lab.view = { ...lab.view, onlineBuckets: 4 };
  gate = gated(lab.deps.engine);
  reader = new OnlineReader({ ...lab.deps, engine: gate.engine, queueTimeoutMs: 60_000, readTimeoutMs: 60_000 });
});
afterEach(async () => {
  await reader.close();
  await lab.close();
});

/** A run with a row of each of some keys, which are so many apart. */
async function run(at: number, { from = 0, to = KEYS, step = 1, isTold = true } = {}): Promise<void> {
  await lab.appendSelect(
    `SELECT range::BIGINT, make_timestamptz(${us(at)}), NULL::TIMESTAMPTZ, ${at} + range::DOUBLE FROM range(${from}, ${to}, ${step})`,
  );
  await materializeDirect(lab.deps, { view: 'readings' });
  if (isTold) await reader.committed('readings', await lab.online());
}

async function values(keys: readonly number[], nowUs = NOW, more: Partial<OnlineRequest> = { maxStalenessMs: 60_000 }) {
  const entities = keys.map((k) => ({ k }));
  const { rows } = await reader.getOnlineFeatures({ view: 'readings', entities, nowUs, ...more });
  return rows.map(([value]) => value?.value);
}

/** Of the data files of the online table. */
async function locations(): Promise<readonly string[]> {
  return (await filesOf(await lab.online())).map(({ file }) => file.filePath);
}

/** Compacts, tells the reader and waits until the new files are served. @returns how many files came and went */
async function compact(request: Partial<CompactRequest> = {}) {
  const before = await locations();
  await compactDirect(compactDeps(lab, lab.definitions), { ...COMPACT, ...request }, { nowUs: NOW });
  const after = await locations();
  await reader.committed('readings', await lab.online());
  await reader.settled();
  return {
    added: after.filter((path) => !before.includes(path)),
    removed: before.filter((path) => !after.includes(path)).length,
  };
}

const ALL = Array.from({ length: KEYS }, (_, key) => key);

it('few rows beside many that become one file', async () => {
  await run(10);
  await run(20, { to: 1_200, step: 2 });
  for (const at of [30, 40, 50]) await run(at, { to: 1_000, step: 2 });
  await values(ALL, NOW, {});
  const { added, removed } = await compact();
  expect({ added: added.length, removed }).toEqual({ added: 1, removed: 4 });
  const newest = (key: number) => key + (key % 2 === 1 || key >= 1_200 ? 10 : key < 1_000 ? 50 : 20);
  // The new file is out of reach: nothing of it is read.
  for (const path of added) await (await lab.online()).io.delete(path);
  expect(await values(ALL)).toEqual(ALL.map(newest));
  await run(60, { from: 998, to: 1_002 });
  expect(await values([996, 997, 998, 1_001, 1_002])).toEqual([1_046, 1_007, 1_058, 1_061, 1_022]);
  // What it has of earlier times than the compaction's, the file alone knows.
  await expect(values([4], us(35))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
});

it('many rows that go to their buckets, and buckets that are written anew', async () => {
  await run(10);
  await values(ALL, NOW, {});
  const ats: number[] = [];
  const newest = (key: number) => key + Math.max(10, ...ats.filter((at) => key >= at * 100 && key < at * 100 + 6_000));
  const compacted: object[] = [];
  for (const first of [20, 50, 80, 110]) {
    for (const at of [first, first + 10, first + 20]) {
      ats.push(at);
      await run(at, { from: at * 100, to: at * 100 + 6_000 });
    }
    let files: object = {};
    const decoded = await partsDecoded(async () => {
      const { added, removed } = await compact();
      files = { added: added.length, removed };
    });
    compacted.push({ ...files, decoded });
    expect(await values(ALL)).toEqual(ALL.map(newest));
  }
  expect(compacted).toEqual([
    { added: 4, removed: 3, decoded: 0 },
    { added: 4, removed: 3, decoded: 0 },
    { added: 4, removed: 3, decoded: 0 },
    // Now each bucket has four files of before, which become one, too.
    { added: 8, removed: 19, decoded: 0 },
  ]);
  expect(await partsDecoded(() => values(ALL))).toBe(0);
});

it('many buckets that are written anew are one group, and one statement', async () => {
  lab.view = { ...lab.view, onlineBuckets: 32 };
  await run(10);
  for (const at of [20, 30]) await run(at, { from: at * 100, to: at * 100 + 30_000 });
  await values(ALL, NOW, {});
  const deps = compactDeps(lab, lab.definitions);
  expect(await previewCompaction(deps, COMPACT)).toMatchObject({
    groups: [{ partition: '', files: 96, outputs: 1 }],
    rows: 100_000n,
  });
  // A budget has room for some of them.
  const { bytes } = await previewCompaction(deps, COMPACT);
  const within = await previewCompaction(deps, { ...COMPACT, maxBytes: Number(bytes) / 2 });
  expect(within.groups.length).toBeGreaterThan(3);
  expect(within.bytes).toBeGreaterThan(bytes / 3n);
  expect(within.bytes).toBeLessThanOrEqual(bytes / 2n);
  const decoded = await partsDecoded(async () => {
    const { added, removed } = await compact();
    expect({ added: added.length, removed }).toEqual({ added: 32, removed: 96 });
  });
  expect(decoded).toBe(0);
  const files = await filesOf(await lab.online());
  expect(new Set(files.map(({ file }) => file.partition.join())).size).toBe(32);
  expect(files.reduce((sum, { file }) => sum + file.recordCount, 0n)).toBe(40_000n);
  const newest = (key: number) =>
    key + Math.max(10, ...[20, 30].filter((at) => key >= at * 100 && key < at * 100 + 30_000));
  expect(await values(ALL)).toEqual(ALL.map(newest));
});

it('of many buckets that are one group, those are planned again that another compaction has left', async () => {
  lab.view = { ...lab.view, onlineBuckets: 32 };
  for (const at of [10, 20]) await run(at);
  const deps = compactDeps(lab, lab.definitions);
  const { planLocation } = await planCompaction(deps, COMPACT, { nowUs: NOW });
  const group = await rewriteGroup(deps, planLocation ?? '', 0);
  expect(await compactDirect(deps, { ...COMPACT, where: 'k = 7' })).toMatchObject({ groups: 1, filesRemoved: 2 });
  const { conflicts } = await commitCompaction(deps, planLocation ?? '', [group]);
  expect(conflicts).toEqual([0]);
  const again = { planLocation: planLocation ?? '', groups: conflicts };
  expect(await planCompaction(deps, COMPACT, { nowUs: NOW, again })).toMatchObject({ groups: 1, files: 62 });
});

it('commits beside rows that go over are served without waiting for that', async () => {
  await run(10, { to: 2 * KEYS });
  for (const at of [20, 30, 40]) await run(at, { from: at * 100, to: at * 100 + KEYS });
  await values([...ALL, ...ALL.map((key) => key + KEYS)], NOW, {});
  const { carried } = reader.cacheStats;
  await compactDirect(compactDeps(lab, lab.definitions), COMPACT, { nowUs: NOW });
  const states = [await lab.online()];
  for (const at of [50, 60, 70]) {
    await run(at, { from: 5_000, to: 5_002, isTold: false });
    states.push(await lab.online());
  }
  const [compacted = expect.unreachable(), ...later] = states;
  await reader.committed('readings', compacted);
  expect(reader.cacheStats.carried).toBe(carried);
  for (const state of later) await reader.committed('readings', state);
  // Files of before the compaction answer reads of the present.
  const present = async (): Promise<unknown> => await values([4_000, 5_000, 5_001, 7_000], BigInt(Date.now()) * 1_000n);
  expect(await present()).toEqual([4_040, 5_070, 5_071, 7_040]);
  await reader.settled();
  expect(reader.cacheStats.carried).toBeGreaterThan(carried);
  expect(await partsDecoded(present)).toBe(0);
  expect(await present()).toEqual([4_040, 5_070, 5_071, 7_040]);
  expect(await values([4_000, 5_000, 5_001, 7_000])).toEqual([4_040, 5_070, 5_071, 7_040]);
});

it('rows that went over to one file, and from there to their buckets', async () => {
  await run(10);
  for (const at of [20, 21, 22, 23]) await run(at, { from: at * 1_000, to: at * 1_000 + 1_500 });
  await values(ALL, NOW, {});
  expect(await compact()).toMatchObject({ added: [expect.any(String)], removed: 4 });
  for (const at of [30, 40, 50]) await run(at, { from: at * 100, to: at * 100 + 6_000 });
  let added: readonly string[] = [];
  const decoded = await partsDecoded(async () => {
    ({ added } = await compact());
  });
  expect({ decoded, added: added.length }).toEqual({ decoded: 0, added: 4 });
  const newest = (key: number) => {
    const few = [20, 21, 22, 23].filter((at) => key >= at * 1_000 && key < at * 1_000 + 1_500);
    const many = [30, 40, 50].filter((at) => key >= at * 100 && key < at * 100 + 6_000);
    return key + Math.max(10, ...few, ...many);
  };
  expect(await values(ALL)).toEqual(ALL.map(newest));
});

it.each([
  ['one file', 1_000],
  ['buckets, beside older files', 4_400],
  ['buckets, with older files', 6_000],
])('what is written between the plan of a compaction and its commit stays beside it: into %s', async (_, count) => {
  await run(10);
  for (const at of [20, 30, 40, 50]) await run(at, { from: at * 100, to: at * 100 + count });
  await values(ALL, NOW, {});
  const deps = compactDeps(lab, lab.definitions);
  const { planLocation, groups } = await planCompaction(deps, COMPACT, { nowUs: NOW });
  expect(groups).toBe(1);
  const group = await rewriteGroup(deps, planLocation ?? '', 0);
  await run(60, { from: 2_000, to: 2_010 });
  // The reader hears of these with the compaction; a row alone is in its bucket.
  await run(70, { from: 2_005, to: 2_015, isTold: false });
  await write({ key: 2_012, value: 75 + 2_012, at: 75, isTold: false });
  const before = await locations();
  const { committed, reason } = await commitCompaction(deps, planLocation ?? '', [group]);
  expect({ committed, reason }).toEqual({ committed: [0], reason: null });
  const table = await lab.online();
  // What it wrote is out of reach.
  for (const path of await locations()) if (!before.includes(path)) await table.io.delete(path);
  await run(80, { from: 2_009, to: 2_010 });
  await reader.settled();
  const newest = (key: number) => {
    const few = [20, 30, 40, 50].filter((at) => key >= at * 100 && key < at * 100 + count);
    const alone = key === 2_009 ? 80 : key === 2_012 ? 75 : 10;
    const since = key >= 2_005 && key < 2_015 ? 70 : key >= 2_000 && key < 2_010 ? 60 : 10;
    return key + Math.max(alone, since, ...few);
  };
  expect(await values(ALL)).toEqual(ALL.map(newest));
});

it('a compaction that comes while a reader is behind: what it lacks is decoded, and not all that was written anew', async () => {
  await run(10);
  for (const at of [20, 30]) await run(at, { from: at * 100, to: at * 100 + 6_000 });
  await values(ALL, NOW, {});
  const look = async (): Promise<unknown> => await values([], NOW, { maxStalenessMs: 0 });
  gate.close();
  // Rows that tie with earlier ones among them.
  for (const at of [40, 40, 50]) {
    await run(at, { from: at * 100, to: at * 100 + 6_000, isTold: false });
    await look();
  }
  const before = await locations();
  await compactDirect(compactDeps(lab, lab.definitions), COMPACT, { nowUs: NOW });
  await look();
  await run(60, { from: 7_000, to: 7_002, isTold: false });
  await look();
  // What the compaction wrote is out of reach.
  const after = await filesOf(await lab.online());
  const written = after.map(({ file }) => file).filter(({ filePath }) => !before.includes(filePath));
  expect(written.map(({ recordCount }) => recordCount).filter((count) => count > 100n)).toHaveLength(4);
  const table = await lab.online();
  for (const { filePath, recordCount } of written) if (recordCount > 100n) await table.io.delete(filePath);
  gate.open();
  await reader.settled();
  const newest = (key: number) => {
    const many = [20, 30, 40, 50].filter((at) => key >= at * 100 && key < at * 100 + 6_000);
    return key + Math.max(10, ...many, ...(key === 7_000 || key === 7_001 ? [60] : []));
  };
  expect(await values(ALL)).toEqual(ALL.map(newest));
});

it('of rows that tie the later one wins after a compaction, too, and future rows come when they are due', async () => {
  await run(10);
  await values(ALL, NOW, {});
  const future = 2_000_000;
  for (const value of [1, 2, 3, 4]) {
    await write({ value, at: 20 });
    await write({ value: 100 + value, at: future });
  }
  // The files of one bucket, with that of the run.
  expect(await compact()).toMatchObject({ added: [expect.any(String)], removed: 9 });
  const readFrom = async (nowUs: bigint) => await values([7, 8], nowUs);
  expect(await partsDecoded(() => readFrom(NOW))).toBe(0);
  expect([await readFrom(NOW), await readFrom(us(future - 1)), await readFrom(us(future))]).toEqual([
    [4, 18],
    [4, 18],
    [104, 18],
  ]);
  await write({ value: 5, at: 20 });
  expect(await readFrom(NOW)).toEqual([5, 18]);
});

it.each([
  ['expired rows', { dropExpired: true }, 2],
  ['a table of version 3', {}, 3],
])('decodes after a compaction: %s', async (_, request, version) => {
  lab.view = { ...lab.view, ttlMs: 500_000_000n };
  await run(999_990, { to: 100 });
  if (version === 3)
    await lab.update({ namespace: ['moraine_online'], name: 'readings' }, [
      { action: 'upgrade-format-version', formatVersion: 3 },
    ]);
  for (const at of [999_991, 999_992, 999_993]) await run(at, { to: 50 });
  await run(10, { from: 200, to: 201 });
  await values([1, 60, 200], NOW, {});
  const decoded = await partsDecoded(() => compact(request));
  expect(await values([1, 60, 200])).toEqual([999_994, 1_000_050, null]);
  expect(decoded).toBeGreaterThan(0);
});

/** A row that an application writes, into the bucket of its key. */
async function write({ key = 7, value = 0, at = 0, isTold = true }): Promise<void> {
  const row = `SELECT ${key}::BIGINT, ${value}::DOUBLE, make_timestamptz(${us(at)}), NULL::TIMESTAMPTZ`;
  await writeOnlineBatch(lab.deps, { view: 'readings', open: () => Promise.resolve(row) });
  if (isTold) await reader.committed('readings', await lab.online());
}
