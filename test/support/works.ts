/** The four kinds of work that faults must not harm: the tables to begin with, the workflow, and what holds when it has ended well. */
import { existsSync, utimesSync } from 'node:fs';
import { expect } from 'vitest';
import { deleteTableRows } from '../../client/delete-table-rows.js';
import { compactDirect, leasesOf } from '../../maintenance/index.js';
import { effectiveProgress } from '../../materialization/index.js';
import { compactDeps } from '../../project/index.js';
import { commitUpdates, WINDOW_KEYS } from '../../tables/index.js';
import { filesOf } from './compaction-lab.js';
import { expectIntact } from './intact-table.js';
import type { SmallProject, SmallProjectOptions } from './small-project.js';

export interface Work {
  /** Type of the workflow that people start. */
  readonly workflow: 'materialize' | 'backfill' | 'compact' | 'maintain';
  readonly options: SmallProjectOptions;
  readonly prepare: (small: SmallProject) => Promise<void>;
  readonly input: (small: SmallProject) => object;
  /** Of what the workflow answers, whatever happened on the way. */
  readonly result: object;
  readonly expectWhole: (small: SmallProject) => Promise<void>;
  /** The table that it writes, and how many rows that has in the end. */
  readonly written: (small: SmallProject) => { readonly table: string; readonly rows: number };
}

export const MATERIALIZE: Work = {
  workflow: 'materialize',
  options: {},
  prepare: (small) => small.append(5_000),
  input: ({ view }) => ({ view }),
  result: { kind: 'incremental', rows: '100' },
  expectWhole: async (small) => {
    expect(await small.runKeys()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await small.onlineRows()).toEqual(await small.recomputed());
    expect(await small.onlineRows()).toHaveLength(100);
    await expectIntact(await small.online());
  },
  written: ({ view }) => ({ table: `moraine_online.${view}`, rows: 100 }),
};

const WINDOWS = 6;
const WINDOW_SECONDS = 100;
const SENSORS = 10;

export const BACKFILL: Work = {
  workflow: 'backfill',
  options: {},
  prepare: async (small) => {
    for (let window = 0; window < WINDOWS; window++) {
      await small.append(WINDOW_SECONDS, window * WINDOW_SECONDS, SENSORS);
    }
  },
  input: ({ view }) => ({
    view,
    ...{ start: '1970-01-01T00:00:00Z', end: '1970-01-01T00:10:00Z', step: `${WINDOW_SECONDS}s` },
    ...{ newestFirst: true, concurrency: 2, windowsPerCommit: 2 },
  }),
  result: { windows: WINDOWS },
  expectWhole: async (small) => {
    const online = await small.online();
    const newest = new Map((await small.onlineRows()).map((row) => [row[0], row]));
    expect([...newest.values()]).toEqual(await small.recomputed());
    expect(newest.size).toBe(SENSORS);
    const keys = online.metadata.snapshots.flatMap(({ summary }) => summary.get(WINDOW_KEYS)?.split(' ') ?? []);
    expect(new Set(keys).size).toBe(WINDOWS);
    expect(effectiveProgress(online.metadata).progress?.coverage).toHaveLength(1);
    await expectIntact(online);
  },
  written: ({ view }) => ({ table: `moraine_online.${view}`, rows: WINDOWS * SENSORS }),
};

const FILES = 6;
const ROWS_PER_FILE = 20;
const DELETED = 7;

/** Small files, of one of which a row is deleted; and a file of a run that somebody else has in flight. */
async function prepareSmallFiles(small: SmallProject): Promise<void> {
  for (let file = 0; file < FILES; file++) await small.append(ROWS_PER_FILE, file * ROWS_PER_FILE);
  await deleteTableRows(small.project, small.table, `reading = ${DELETED}`);
  await small.project.io.create(await inFlight(small), new Uint8Array(1));
}

const fileIn = async (small: SmallProject, name: string): Promise<string> =>
  `${(await small.source()).metadata.location}/data/${name}`;
const inFlight = (small: SmallProject) => fileIn(small, 'of-a-run-in-flight.parquet');
const orphan = (small: SmallProject) => fileIn(small, 'of-a-run-long-ago.parquet');

/** The rows that were appended and not deleted, in one file, as {@link SmallProject.append} numbers them; nothing that is young has gone. */
async function expectOneFile(small: SmallProject): Promise<void> {
  const source = await small.source();
  const rows = Array.from({ length: FILES * ROWS_PER_FILE }, (_, i) => `${i}|${i % ROWS_PER_FILE}|${i}`);
  expect(await small.sourceRows()).toEqual(rows.filter((_, i) => i !== DELETED));
  expect(await filesOf(source)).toHaveLength(1);
  await expectIntact(source);
  expect(existsSync(await inFlight(small))).toBe(true);
  expect(leasesOf(source.metadata)).toEqual([]);
}

const writtenSource = (small: SmallProject) => ({ table: small.table, rows: FILES * ROWS_PER_FILE - 1 });

export const COMPACT: Work = {
  workflow: 'compact',
  options: { hasOwnTable: true },
  prepare: prepareSmallFiles,
  input: ({ table }) => ({ table, strategy: 'binpack' }),
  result: { groups: 1, filesAdded: 1 },
  expectWhole: async (small) => {
    await expectOneFile(small);
    const { snapshots } = (await small.source()).metadata;
    const operations = snapshots.map(({ summary }) => summary.get('operation'));
    expect(operations).toEqual([...Array.from({ length: FILES }, () => 'append'), 'delete', 'replace']);
  },
  written: writtenSource,
};

const TAG = 'kept';
const LONG_AGO = new Date(Date.now() - 30 * 86_400_000);

export const MAINTAIN: Work = {
  workflow: 'maintain',
  options: { hasOwnTable: true },
  prepare: async (small) => {
    await prepareSmallFiles(small);
    const { snapshots } = (await small.source()).metadata;
    const ref = { type: 'tag' as const, snapshotId: snapshots[2]?.snapshotId ?? 0n };
    await commitUpdates(await small.source(), ({ refs }) =>
      refs.has(TAG) ? null : [{ action: 'set-snapshot-ref', refName: TAG, ref }],
    );
    await compactDirect(await compactDeps(small.project), { table: small.table, strategy: 'binpack' });
    await small.project.io.create(await orphan(small), new Uint8Array(1));
    utimesSync(await orphan(small), LONG_AGO, LONG_AGO);
  },
  input: ({ table }) => ({ table, olderThan: '0s', retainLast: 1 }),
  result: { expiredSnapshots: FILES },
  expectWhole: async (small) => {
    await expectOneFile(small);
    const { snapshots, refs } = (await small.source()).metadata;
    expect(refs.has(TAG)).toBe(true);
    // The tagged one, that of the compaction, and what rewriting manifests may add.
    expect(snapshots.map(({ summary }) => summary.get('operation')).slice(0, 2)).toEqual(['append', 'replace']);
    expect(snapshots.length).toBeLessThanOrEqual(3);
    expect(existsSync(await orphan(small))).toBe(false);
  },
  written: writtenSource,
};

export const WORKS: readonly Work[] = [MATERIALIZE, BACKFILL, COMPACT, MAINTAIN];
