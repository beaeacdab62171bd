import { randomUUID } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMoraineError } from '../../../errors/index.js';
import { type CompactRequest, compactDirect } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { type OnlineDeps, OnlineReader, type OnlineRequest } from '../../../online/index.js';
import { OnlineView } from '../../../online/online-view.js';
import { stageRows } from '../../../staging/index.js';
import { commitAppend, commitOverwrite, loadTable } from '../../../tables/index.js';
import { allOf } from '../../support/all-of.js';
import { compactDeps, filesOf } from '../../support/compaction-lab.js';
import { numberIn } from '../../support/environment.js';
import { gate } from '../../support/gate.js';
import { Lab } from '../../support/materialization-lab.js';

const us = (seconds: number): bigint => BigInt(seconds) * 1_000_000n;
const NOW = { nowUs: us(1_000_000), readTimeoutMs: 60_000 };
/** Values of one view begin behind those of the other. */
const OTHERS_FROM = 100_000;

let lab: Lab;
const readers: OnlineReader[] = [];
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
});
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.close();
  await lab.close();
});

function open(options: Partial<OnlineDeps> = {}): OnlineReader {
  const reader = new OnlineReader({ ...lab.deps, queueTimeoutMs: 60_000, ...options });
  readers.push(reader);
  return reader;
}

async function values(reader: OnlineReader, keys: readonly number[], more: Partial<OnlineRequest> = {}) {
  const entities = keys.map((k) => ({ k }));
  const { rows } = await reader.getOnlineFeatures({ view: 'readings', entities, ...NOW, ...more });
  return rows.map(([value]) => value?.value);
}

/** Rows of the keys from `from`: key, ten times the key. */
async function materializeKeys(count: number, at = 10): Promise<void> {
  await lab.appendSelect(
    `SELECT range::BIGINT, make_timestamptz(${at}000000), NULL::TIMESTAMPTZ, range * ${at}::DOUBLE FROM range(${count})`,
  );
  await materializeDirect(lab.deps, { view: 'readings' });
}

describe('a large bucket', () => {
  beforeEach(() => {
    lab.view = { ...lab.view, onlineBuckets: 1 };
  });

  it('is decoded in ranges of keys, those alone that are asked for', async () => {
    await materializeKeys(40_000);
    const reader = open();
    expect(await values(reader, [0, 39_999, 40_000])).toEqual([0, 399_990, null]);
    // Ranges of 8,192 rows: the first and the last one, which has no more rows than are left.
    expect(reader.cacheStats).toMatchObject({ parts: 2, misses: 3 });
    expect(await values(reader, [8_190, 8_191, 8_192, 16_384])).toEqual([81_900, 81_910, 81_920, 163_840]);
    expect(reader.cacheStats.parts).toBe(4);
    await lab.append([{ k: 39_999, at: 20, v: 1 }]);
    await materializeDirect(lab.deps, { view: 'readings' });
    expect(await values(reader, [39_999, 0])).toEqual([1, 0]);
  });

  it('that grows by appended files is split by the keys in memory, and nothing is read again', async () => {
    await materializeKeys(12_000);
    const reader = open();
    const append = async (from: number, to: number, at: number) => {
      const time = `make_timestamptz(${at}000000)`;
      await lab.appendSelect(
        `SELECT range::BIGINT, ${time}, NULL::TIMESTAMPTZ, range * ${at}::DOUBLE FROM range(${from}, ${to})`,
      );
      await materializeDirect(lab.deps, { view: 'readings' });
    };
    expect(await values(reader, [0, 11_999, 12_000])).toEqual([0, 119_990, null]);
    const paths: string[] = [];
    const readWithoutOthers = async (keys: readonly number[]) => {
      for (const path of paths) await rename(path, `${path}.away`);
      const found = await values(reader, keys);
      for (const path of paths) await rename(`${path}.away`, path);
      paths.splice(0, paths.length, ...(await filesOf(await lab.online())).map(({ file }) => file.filePath));
      return found;
    };
    await readWithoutOthers([]);
    await append(12_000, 18_000, 11);
    expect(await readWithoutOthers([0, 11_999, 12_000, 17_999])).toEqual([0, 119_990, 132_000, 197_989]);
    expect(reader.cacheStats).toMatchObject({ parts: 1 });
    await append(17_995, 18_001, 12);
    const keys = [0, 5_999, 6_000, 6_001, 11_999, 12_000, 17_994, 17_995, 18_000, 18_001];
    const all = [0, 59_990, 60_000, 60_010, 119_990, 132_000, 197_934, 215_940, 216_000, null];
    expect(await readWithoutOthers(keys)).toEqual(all);
    // 18,000 rows in three ranges.
    expect(reader.cacheStats).toMatchObject({ parts: 3 });
    await append(1, 2, 13);
    expect(await readWithoutOthers([0, 1, 2, ...keys.slice(1)])).toEqual([0, 13, 20, ...all.slice(1)]);
    expect(reader.cacheStats).toMatchObject({ parts: 3 });
  });

  it('of many small files is decoded whole by the first read, as far as the cache has room', async () => {
    for (let write = 0; write < 6; write += 1) {
      await lab.appendSelect(
        `SELECT range * 6 + ${write}, make_timestamptz(10000000), NULL::TIMESTAMPTZ, (range * 6 + ${write})::DOUBLE FROM range(4000)`,
      );
      await materializeDirect(lab.deps, { view: 'readings' });
    }
    expect(await filesOf(await lab.online())).toHaveLength(6);
    const reader = open();
    expect(await values(reader, [9_000])).toEqual([9_000]);
    // 24,000 rows in ranges of 8,192.
    expect(reader.cacheStats).toMatchObject({ parts: 3, misses: 1 });
    expect(await values(reader, [0, 12_345, 23_999])).toEqual([0, 12_345, 23_999]);
    expect(reader.cacheStats).toMatchObject({ parts: 3, misses: 1 });
    // The part that was asked for is not the one that goes.
    const small = open({ cacheBytes: reader.cacheStats.bytes / 2 });
    expect(await values(small, [0])).toEqual([0]);
    expect(await values(small, [0, 8_000])).toEqual([0, 8_000]);
    expect(small.cacheStats).toMatchObject({ parts: 1, misses: 1 });
    expect(await values(small, [23_999])).toEqual([23_999]);
  });
});

describe('decoded parts', () => {
  beforeEach(() => materializeKeys(1_000));

  it('are read once for all who wait for them, and again when they were evicted', async () => {
    const reader = open();
    const all = await Promise.all(Array.from({ length: 50 }, (_, k) => values(reader, [k])));
    expect(all).toEqual(Array.from({ length: 50 }, (_, k) => [k * 10]));
    const { parts, bytes } = reader.cacheStats;
    expect(parts).toBe(4);
    const small = open({ cacheBytes: bytes / 2 });
    for (const k of [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) expect(await values(small, [k])).toEqual([k * 10]);
    expect(small.cacheStats.bytes).toBeLessThanOrEqual(bytes / 2);
    expect(small.cacheStats.evictions).toBeGreaterThan(0);
  });

  it('may take the time of a first read after a read without entities', async () => {
    const reader = open({ readTimeoutMs: 1 });
    const read = (...keys: number[]) => values(reader, keys, { readTimeoutMs: undefined, maxStalenessMs: 60_000 });
    expect(await read()).toEqual([]);
    expect(await read(7)).toEqual([70]);
  });

  it('take appended rows without being read again', async () => {
    const reader = open();
    await values(
      reader,
      Array.from({ length: 100 }, (_, k) => k),
    );
    const [before, ...others] = await filesOf(await lab.online());
    await lab.append([
      { k: 5, at: 20, v: 55 },
      { k: 6, at: 5, v: 66 },
    ]);
    await materializeDirect(lab.deps, { view: 'readings' });
    // Without the files that were there before, nothing but appended ones can be read.
    const moved = [before, ...others].map((planned) => planned?.file.filePath ?? '');
    for (const path of moved) await rename(path, `${path}.away`);
    expect(await values(reader, [5, 6, 7])).toEqual([55, 60, 70]);
    for (const path of moved) await rename(`${path}.away`, path);
  });

  it('that cannot be read fail those alone who ask for them', async () => {
    const files = await filesOf(await lab.online());
    const path = files[0]?.file.filePath ?? '';
    await rename(path, `${path}.away`);
    const reader = open();
    const answers = await Promise.allSettled(Array.from({ length: 40 }, (_, k) => values(reader, [k])));
    const failed = answers.filter(({ status }) => status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(40);
    for (const failure of failed) expect(failure).toMatchObject({ reason: { code: 'FILE_NOT_FOUND' } });
    await rename(`${path}.away`, path);
    expect(await values(reader, [0, 1, 2, 3, 4])).toEqual([0, 10, 20, 30, 40]);
  });

  it('answer a thousand reads at once, or say that there are too many', async () => {
    const many = async (reader: OnlineReader, more: Partial<OnlineRequest> = {}) => {
      const reads = Array.from({ length: 1_000 }, (_, k) => values(reader, [k], more));
      const settled = await Promise.allSettled(reads);
      return settled.map((one, k) => {
        if (one.status === 'fulfilled') return one.value[0] === k * 10 ? 'right' : 'wrong';
        return (one.reason as { code: string }).code;
      });
    };
    expect(new Set(await many(open()))).toEqual(new Set(['right']));
    const stating = open({ cacheBytes: 0, queueTimeoutMs: 1 });
    await values(stating, [1]);
    const answers = await many(stating);
    expect(new Set(answers)).toEqual(new Set(['right', 'OVERLOADED']));
  });
});

describe('pointers', () => {
  beforeEach(() => materializeKeys(10));

  it('are looked at once for all who ask at the same moment', async () => {
    let looks = 0;
    const definitions = () => {
      looks += 1;
      return lab.deps.definitions();
    };
    const reader = open({ definitions });
    await values(reader, [1]);
    looks = 0;
    await Promise.all(Array.from({ length: 100 }, (_, k) => values(reader, [k % 10])));
    expect(looks).toBeLessThanOrEqual(2);
    await values(reader, [1], { maxStalenessMs: 60_000 });
    expect(looks).toBeLessThanOrEqual(2);
  });

  it('are waited for by reads that are counted, until they are answered', async () => {
    const look = gate();
    const definitions = async () => {
      await look.opened;
      return await lab.deps.definitions();
    };
    const reader = open({ definitions });
    const asked = [values(reader, [1]), values(reader, [2], { maxStalenessMs: 60_000 })];
    expect(reader.waitingReads).toBe(2);
    look.open();
    expect(await Promise.all(asked)).toEqual([[10], [20]]);
    expect(reader.waitingReads).toBe(0);
    const warm = values(reader, [1], { maxStalenessMs: 60_000 });
    expect(reader.waitingReads).toBe(0);
    expect(await warm).toEqual([10]);
  });

  it('of a wanted snapshot are told when a look for it does not end in time', async () => {
    const { deps } = lab;
    let isHanging = false;
    const catalog = new Proxy(deps.catalog, {
      get: (of, name) => {
        const own: unknown = Reflect.get(of, name);
        if (typeof own !== 'function') return own;
        return (...args: unknown[]): unknown =>
          isHanging ? new Promise(() => undefined) : Reflect.apply(own, of, args);
      },
    });
    const reader = open({ catalog });
    await values(reader, [1]);
    isHanging = true;
    const minSnapshots = new Map([['readings', 77n]]);
    await expect(
      values(reader, [1], { maxStalenessMs: 60_000, minSnapshots, readTimeoutMs: 100 }),
    ).rejects.toMatchObject({
      code: 'CATALOG_UNAVAILABLE',
      message:
        "The state of feature view 'readings' that is known does not contain snapshot 77, which the read asks for, " +
        'and a new look at catalog and storage did not end within 100 ms (readTimeoutMs).',
    });
    isHanging = false;
  });

  it('follow commits while there are reads, and a wanted snapshot is read at once', async () => {
    const reader = open();
    await values(reader, [1], { maxStalenessMs: 60_000 });
    await lab.append([{ k: 1, at: 20, v: 7 }]);
    const { commit } = await materializeDirect(lab.deps, { view: 'readings' });
    expect(await values(reader, [1], { maxStalenessMs: 60_000 })).toEqual([10]);
    const minSnapshots = new Map([['readings', commit?.snapshotId ?? 0n]]);
    expect(await values(reader, [1], { maxStalenessMs: 60_000, minSnapshots })).toEqual([7]);
    await lab.append([{ k: 1, at: 30, v: 8 }]);
    await materializeDirect(lab.deps, { view: 'readings' });
    for (let tries = 0; tries < 200; tries += 1) {
      const [value] = await values(reader, [1], { maxStalenessMs: 60_000 });
      if (value === 8) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('the reader never saw the commit');
  });

  it('know that a later snapshot has a wanted one which has expired', async () => {
    const reader = open();
    const { metadata } = await lab.online();
    const old = metadata.currentSnapshotId ?? 0n;
    await values(reader, [1]);
    for (const at of [20, 30]) {
      await lab.append([{ k: 1, at, v: at }]);
      await materializeDirect(lab.deps, { view: 'readings' });
    }
    const snapshotIds = (await lab.online()).metadata.snapshots.map(({ snapshotId }) => snapshotId).slice(0, 2);
    await lab.update({ namespace: ['moraine_online'], name: 'readings' }, [
      { action: 'remove-snapshots', snapshotIds },
    ]);
    expect(snapshotIds).toContain(old);
    expect(await values(reader, [1], { minSnapshots: new Map([['readings', old]]) })).toEqual([30]);
    await expect(values(reader, [1], { minSnapshots: new Map([['readings', 77n]]) })).rejects.toMatchObject({
      code: 'SNAPSHOT_NOT_FOUND',
    });
  });
});

describe('after a compaction', () => {
  /** Rows that no run wrote, in files of their own. */
  const push = async (rows: string) => {
    const table = await lab.online();
    const select = `SELECT k::BIGINT, v::DOUBLE, make_timestamptz(30000000), NULL::TIMESTAMPTZ, true FROM (VALUES ${rows}) t(k, v)`;
    const files = await lab.engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: randomUUID(), sortBy: [] }),
    );
    await commitAppend(table, { files });
    return files.length;
  };
  const compact = (more: Partial<CompactRequest> = {}) =>
    compactDirect(
      compactDeps(lab, lab.definitions),
      { table: 'moraine_online.readings', strategy: 'latest', ...more },
      { nowUs: NOW.nowUs },
    );
  const files = async () => (await filesOf(await lab.online())).length;
  const HOT = { maxStalenessMs: 60_000 };

  it('commits of this process are read beside what is decoded, until new files are of which it is not known what they have', async () => {
    // Nothing is as old as that, which the snapshot of the compaction does not say.
    lab.view = { ...lab.view, ttlMs: 1_000_000_000n };
    await materializeKeys(30_000);
    await lab.appendSelect(
      'SELECT range::BIGINT, make_timestamptz(20000000), NULL::TIMESTAMPTZ, 1::DOUBLE FROM range(20_000)',
    );
    await materializeDirect(lab.deps, { view: 'readings' });
    const reader = open();
    const all = Array.from({ length: 30_000 }, (_, k) => k);
    const expected = all.map((k) => (k < 20_000 ? 1 : k * 10));
    expect(await values(reader, all)).toEqual(expected);
    const before = await files();
    await compact({ dropExpired: true });
    const [compacted, added] = [await files(), await push('(5, 55), (29999, 77)')];
    expect(compacted).toBeLessThan(before);
    await reader.committed('readings', await lab.online());
    expect(reader.openViews.map((view) => view.files)).toEqual([before + added]);
    expect(await values(reader, [5, 29_999, 6, 20_000], HOT)).toEqual([55, 77, 1, 200_000]);
    const more = await push('(6, 66)');
    await reader.committed('readings', await lab.online());
    expect(await values(reader, [5, 29_999, 6, 20_000], HOT)).toEqual([55, 77, 66, 200_000]);
    for (let tries = 0; reader.openViews[0]?.files !== compacted + added + more; tries += 1) {
      if (tries > 1_000) throw new Error('the compacted files are never served');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { misses } = reader.cacheStats;
    const now = expected.map((value, k) => ({ 5: 55, 6: 66, 29_999: 77 })[k] ?? value);
    expect(await values(reader, all, HOT)).toEqual(now);
    expect(reader.cacheStats.misses).toBe(misses);
  });

  it('a state stands for a later one only if no row was changed or moved out of sight', async () => {
    await materializeKeys(20_000);
    const state = async () => await OnlineView.load('readings', await lab.online(), ['k']);
    const pushed = async (rows: string) => {
      await push(rows);
      return await state();
    };
    const removeAll = async () => {
      const table = await lab.online();
      const removeFiles = (await filesOf(table)).map(({ file }) => file.filePath);
      await commitOverwrite(table, { removeFiles, files: [] });
    };
    const oldest = await state();
    await materializeKeys(20_000, 20);
    const first = await pushed('(5, 50)');
    expect(await oldest.bridgedTo(first)).toBeNull();
    await compact();
    const later = await pushed('(6, 66)');
    const bridge = await first.bridgedTo(later);
    expect(bridge?.index.fileCount).toBe(first.index.fileCount + 1);
    expect(bridge?.snapshotId).toBe(later.snapshotId);
    const latest = await pushed('(7, 77)');
    expect((await bridge?.bridgedTo(latest))?.index.fileCount).toBe(first.index.fileCount + 2);
    await materializeKeys(20_000, 40);
    await compact();
    // Rows that were appended are in files with others now.
    expect(await first.bridgedTo(await pushed('(8, 88)'))).toBeNull();
    await materializeKeys(20_000, 50);
    const before = await state();
    await compact();
    expect(await before.bridgedTo(await state())).not.toBeNull();
    await removeAll();
    const after = await pushed('(9, 99)');
    expect(await before.bridgedTo(after)).toBeNull();
    expect(await after.bridgedTo(before)).toBeNull();
  });

  it('rows that were deleted or replaced meanwhile are not read any more', async () => {
    await materializeKeys(100);
    await lab.appendSelect(
      'SELECT range::BIGINT, make_timestamptz(20000000), NULL::TIMESTAMPTZ, 1::DOUBLE FROM range(10)',
    );
    await materializeDirect(lab.deps, { view: 'readings' });
    const reader = open();
    expect(await values(reader, [5, 50])).toEqual([1, 500]);
    await compact();
    const table = await lab.online();
    const removeFiles = (await filesOf(table)).map(({ file }) => file.filePath);
    await commitOverwrite(table, { removeFiles, files: [] });
    await push('(5, 55)');
    await reader.committed('readings', await lab.online());
    expect(await values(reader, [5, 50], HOT)).toEqual([55, null]);
  });

  it('rows that were appended and compacted before anybody looked are read', async () => {
    await materializeKeys(100);
    const reader = open();
    expect(await values(reader, [5, 6, 50])).toEqual([50, 60, 500]);
    await push('(5, 55)');
    await compact();
    await push('(6, 66)');
    await reader.committed('readings', await lab.online());
    expect(await values(reader, [5, 6, 50], HOT)).toEqual([55, 66, 500]);
  });
});

/** How long readers and writers run side by side, in seconds: two minutes at night. */
const BESIDE_S = numberIn('MORAINE_READS_BESIDE_SECONDS', /^[1-9]\d{0,4}$/) ?? 2;
const COMMIT_EVERY_MS = 200;

it(
  '32 readers of two views see no older value than they ask for, each view at one snapshot, beside a writer and compaction',
  async () => {
    const views = ['readings', 'others'] as const;
    const featureViews = new Map(views.map((name) => [name as string, { ...lab.view, name }]));
    const definitions = { ...lab.definitions, featureViews };
    const deps = { ...lab.deps, definitions: () => Promise.resolve(definitions) };
    await lab.appendSelect(
      'SELECT range::BIGINT, make_timestamptz(10000000), NULL::TIMESTAMPTZ, range::DOUBLE FROM range(64)',
    );
    for (const view of views) await materializeDirect(deps, { view });
    const reader = open({ definitions: deps.definitions });
    const tableOf = (name: string) => loadTable(lab.catalog, lab.io, { namespace: ['moraine_online'], name });
    /** The last commits, by view. */
    const committed = new Map(views.map((view) => [view as string, { v: 0, snapshotId: 0n }]));
    /** The value that each commit of the writer gave all keys that it writes. */
    const written = new Map<bigint, number>();
    let isWriting = true;
    let compacted = 0;
    const append = async (view: string, v: number): Promise<void> => {
      const table = await tableOf(view);
      const select = `SELECT k::BIGINT, ${v}::DOUBLE, make_timestamptz(${100 + v}000000), NULL::TIMESTAMPTZ, false FROM range(8) t(k)`;
      const names = table.metadata.schemas.at(-1)?.fields.map(({ name }) => name);
      expect(names).toEqual(['k', 'v', 'event_timestamp', 'created_timestamp', '_pushed']);
      const files = await lab.engine.withConnection((connection) =>
        stageRows(connection, table, { select, namePrefix: randomUUID(), sortBy: [] }),
      );
      const { snapshotId } = await commitAppend(table, { files });
      written.set(snapshotId, v);
      committed.set(view, { v, snapshotId });
    };
    const write = async (): Promise<void> => {
      const began = performance.now();
      for (let v = 1; v <= (BESIDE_S * 1_000) / COMMIT_EVERY_MS || compacted === 0; v += 1) {
        // No value of one view is one of the other.
        await append('readings', v);
        await append('others', OTHERS_FROM + v);
        await sleep(Math.max(0, began + v * COMMIT_EVERY_MS - performance.now()));
      }
    };
    const compact = async (): Promise<void> => {
      for (let round = 0; isWriting; round += 1) {
        const request = { table: `moraine_online.${views[round % 2] ?? ''}`, strategy: 'latest' as const };
        compacted += (await compactDirect(compactDeps(lab, definitions), request, { nowUs: NOW.nowUs })).groups;
        await sleep(COMMIT_EVERY_MS);
      }
    };
    let reads = 0;
    /** Values of answers by the snapshot that they name. Which a compaction has is known when all has ended. */
    const answers = new Map<bigint, Set<unknown>>();
    const read = async (number: number): Promise<void> => {
      while (isWriting) {
        const least = new Map([...committed].filter(([, { snapshotId }]) => snapshotId > 0n));
        const isChecked = number % 2 === 0;
        const minSnapshots = new Map([...least].map(([view, { snapshotId }]) => [view, snapshotId]));
        const { rows, snapshots, features } = await reader.getOnlineFeatures({
          // What texts name is bound to its states once; what has an alias, for each request.
          features:
            number % 4 < 2 ? ['readings', 'others'] : ['readings', 'others', { view: 'readings', alias: 'again' }],
          fullFeatureNames: true,
          entities: [{ k: number % 8 }, { k: 3 }],
          ...NOW,
          maxStalenessMs: isChecked ? 0 : 10_000,
          ...(isChecked ? {} : { minSnapshots }),
        });
        for (const [view, { v }] of least) {
          // One snapshot: every entity has the value of one commit, under both names of the view.
          const found = rows.flatMap((row) => row.filter((_, place) => features[place]?.view === view));
          const values = new Set(found.map(({ value }) => value as number));
          expect(values.size).toBe(1);
          const [value = Number.NaN] = values;
          expect(value).toBeGreaterThanOrEqual(v);
          const [snapshot, ...more] = snapshots.filter((one) => one.view === view);
          expect(more).toEqual([]);
          const snapshotId = snapshot?.snapshotId ?? 0n;
          answers.set(snapshotId, (answers.get(snapshotId) ?? new Set()).add(value));
        }
        reads += 1;
        // Readers without a pause would leave the writer of the same process no time for its commits.
        await sleep(10);
      }
    };
    const writing = write().finally(() => (isWriting = false));
    const began = performance.now();
    await allOf([writing, compact(), ...Array.from({ length: 32 }, (_, number) => read(number))]);
    const seconds = (performance.now() - began) / 1_000;
    expect(reads).toBeGreaterThan(100);
    for (const view of views) {
      const { snapshots } = (await tableOf(view)).metadata;
      const byId = new Map(snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
      for (const { snapshotId } of snapshots) {
        // A compaction has the value of the last commit that it is built on.
        let at: bigint | undefined = snapshotId;
        while (at !== undefined && !written.has(at)) at = byId.get(at)?.parentSnapshotId;
        const value = at === undefined ? undefined : written.get(at);
        if (answers.has(snapshotId)) expect([...(answers.get(snapshotId) ?? [])]).toEqual([value]);
        answers.delete(snapshotId);
      }
    }
    // No answer names a snapshot that no table has.
    expect([...answers.keys()]).toEqual([]);
    const counts = `${written.size} commits, ${compacted} compacted groups, ${reads} reads`;
    if (BESIDE_S > 10) process.stdout.write(`${counts} in ${Math.round(seconds)} s\n`);
  },
  BESIDE_S * 3_000 + 60_000,
);

/** Reports each method call on an object. */
function reporting<T extends object>(target: T, called: (name: string, argument: unknown) => void): T {
  return new Proxy(target, {
    get: (of, name) => {
      const own: unknown = Reflect.get(of, name);
      if (typeof own !== 'function') return own;
      return (...args: unknown[]): unknown => {
        called(String(name), args[0]);
        return Reflect.apply(own, of, args);
      };
    },
  });
}

/** What a reader needs; `done` gives how many statements it has run since the last call, and the files that it has opened for them. */
function countWork({ engine, io, ...deps }: OnlineDeps) {
  let statements = 0;
  const opened = new Set<unknown>();
  const counted: OnlineDeps = {
    ...deps,
    engine: reporting(engine, (name) => (statements += name === 'withConnection' ? 1 : 0)),
    io: reporting(io, (name, location) => name === 'localFiles' && opened.add(location)),
  };
  const done = () => {
    const work = { statements, files: opened.size };
    statements = 0;
    opened.clear();
    return work;
  };
  return { deps: counted, done };
}

describe('fifty incremental runs without a compaction', () => {
  it('make no read more costly: neither the first one after a commit, nor later ones, nor those of other keys', async () => {
    // Each run has rows of every bucket.
    lab.view = { ...lab.view, onlineBuckets: 256 };
    await materializeKeys(20_000);
    const { deps, done } = countWork(lab.deps);
    const counted = open(deps);
    const byDefault = open({ queueTimeoutMs: undefined });
    /** Numbers of the last runs, by the rest of the keys that they have. */
    const runs = new Map<number, number>();
    const expected = (keys: readonly number[]) => keys.map((k) => runs.get(k % 20) ?? k * 10);
    const costOf = async (keys: readonly number[]) => {
      done();
      const { misses } = counted.cacheStats;
      expect(await values(counted, keys)).toEqual(expected(keys));
      return { ...done(), misses: counted.cacheStats.misses - misses };
    };
    const isInTime = async (keys: readonly number[]): Promise<boolean> => {
      const read = values(byDefault, keys, { readTimeoutMs: undefined });
      const found = await read.catch((error: unknown) => {
        if (isMoraineError(error, 'TIMED_OUT')) return null;
        throw error;
      });
      if (found !== null) expect(found).toEqual(expected(keys));
      return found !== null;
    };
    const hot = Array.from({ length: 10 }, (_, place) => 1 + place * 1_999);
    await costOf(hot);
    await isInTime(hot);
    const NOTHING = { statements: 0, files: 0, misses: 0 };
    const late: number[] = [];
    for (let run = 1; run <= 50; run += 1) {
      await lab.appendSelect(
        `SELECT range * 20 + ${run % 20}, make_timestamptz(${10 + run}000000), NULL::TIMESTAMPTZ, ${run}::DOUBLE FROM range(1000)`,
      );
      const { commit } = await materializeDirect(lab.deps, { view: 'readings' });
      expect(commit?.files).toBe(1);
      runs.set(run % 20, run);
      const cold = Array.from({ length: 10 }, (_, place) => 7 * run + place * 1_777);
      for (const keys of [hot, hot, cold]) if (!(await isInTime(keys))) late.push(run);
      const first = await costOf(hot);
      // The new file alone is read, also where its rows make a part too large, which is split in memory.
      expect([run, first]).toEqual([run, { statements: 1, files: 1, misses: 10 }]);
      expect([run, await costOf(hot)]).toEqual([run, NOTHING]);
      // Of a key that was not read before: the file of its bucket.
      const others = await costOf(cold);
      expect([run, others.statements <= 1, others.files <= others.misses]).toEqual([run, true, true]);
    }
    // Other work of the machine may delay a statement. If the cost of a read grew with the runs, as it once did, all reads from run 24 on would be late.
    const [lateThen, readsThen] = [late.filter((run) => run >= 24).length, 3 * 27];
    expect(lateThen, `late in the runs ${late.join()}`).toBeLessThan(readsThen / 2);
  });
});
