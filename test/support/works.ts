/** The kinds of work that faults must not harm: the tables to begin with, the workflow, what holds on the way and in the end. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import { trainingProgress } from '../../backfill/training-progress.js';
import { deleteTableRows } from '../../client/delete-table-rows.js';
import { isMoraineError } from '../../errors/index.js';
import { compactDirect } from '../../maintenance/index.js';
import { effectiveProgress, uncovered } from '../../materialization/index.js';
import { compactDeps, datasetDeps } from '../../project/index.js';
import { commitUpdates, type Table, WINDOW_KEYS } from '../../tables/index.js';
import type { ServerSettings } from '../../workers/index.js';
import { filesOf } from './compaction-lab.js';
import { expectIntact } from './intact-table.js';
import type { SmallProject, SmallProjectOptions } from './small-project.js';
import { LABELS, TrainingProject } from './training-project.js';

/** The run that a workflow for people starts, as it does. */
export interface WorkRun {
  readonly type: string;
  readonly workflowId: (small: SmallProject) => string;
  readonly input: (small: SmallProject) => object;
  /** Argument of the signal `requested` that comes with its start. */
  readonly requested: (small: SmallProject) => object;
}

export interface Work {
  readonly name: string;
  /** Type of the workflow that people start. */
  readonly workflow: 'materialize' | 'backfill' | 'compact' | 'maintain';
  readonly options: SmallProjectOptions;
  readonly prepare: (small: SmallProject) => Promise<void>;
  readonly input: (small: SmallProject) => Readonly<Record<string, unknown>>;
  /** The run that does the work, as the workflow starts it. */
  readonly run: WorkRun;
  /** Of what the workflow answers, whatever happened on the way. */
  readonly result: object;
  /** The condition at every moment, however often it was begun and given up. */
  readonly expectSound: (small: SmallProject) => Promise<void>;
  /** The further condition when it has ended well. */
  readonly expectDone: (small: SmallProject) => Promise<void>;
  /** The table that it writes, and how many rows that has in the end. */
  readonly written: (small: SmallProject) => { readonly table: string; readonly rows: number };
}

/**
 * Starts the run of a work, or signals the one in flight, as its activity does.
 * @param signalArgs of the signal `requested`: what the work wants, unless given
 */
export function startRun(
  client: Client,
  { taskQueue }: Pick<ServerSettings, 'taskQueue'>,
  { run }: Work,
  small: SmallProject,
  signalArgs: readonly unknown[] = [run.requested(small)],
): Promise<WorkflowHandle> {
  return client.workflow.signalWithStart(run.type, {
    ...{ workflowId: run.workflowId(small), taskQueue, args: [run.input(small)] },
    ...{ signal: 'requested', signalArgs: [...signalArgs] },
  });
}

export const MATERIALIZE: Work = {
  name: 'materialize',
  workflow: 'materialize',
  options: {},
  prepare: (small) => small.append(5_000),
  input: ({ view }) => ({ view }),
  run: {
    type: 'materializeRun',
    workflowId: ({ view }) => `materialize/${view}/incremental`,
    input: ({ view }) => ({ view, searchAttributes: false }),
    requested: () => ({}),
  },
  result: { kind: 'incremental', rows: '100' },
  expectSound: async (small) => {
    const online = await onlineIfThere(small);
    if (online?.metadata.currentSnapshotId == null) return;
    await expectIntact(online);
    expect(await small.onlineRows()).toEqual(await small.recomputed());
  },
  expectDone: async (small) => {
    expect(await small.runKeys()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await small.onlineRows()).toHaveLength(100);
  },
  written: ({ view }) => ({ table: `moraine_online.${view}`, rows: 100 }),
};

/** The same from two files that two parts read, for two shards. */
export const MATERIALIZE_IN_PARTS: Work = {
  ...MATERIALIZE,
  name: 'materialize in parts',
  prepare: async (small) => {
    await small.append(2_500);
    await small.append(2_500, 2_500);
  },
  input: ({ view }) => ({ view, shards: 2 }),
};

const WINDOWS = 4;
const WINDOW_SECONDS = 100;
const SENSORS = 10;

export const BACKFILL: Work = {
  name: 'backfill',
  workflow: 'backfill',
  options: {},
  prepare: async (small) => {
    for (let window = 0; window < WINDOWS; window++) {
      await small.append(WINDOW_SECONDS, window * WINDOW_SECONDS, SENSORS);
    }
  },
  input: ({ view }) => ({
    view,
    ...{ start: '1970-01-01T00:00:00Z', end: '1970-01-01T00:06:40Z', step: `${WINDOW_SECONDS}s` },
    ...{ newestFirst: true, concurrency: 2, windowsPerCommit: 2 },
  }),
  run: {
    type: 'backfillRun',
    workflowId: ({ view }) => `backfill/${view}/four windows`,
    input: ({ view }) => ({
      view,
      ...{ startUs: '0', endUs: '400000000', stepUs: '100000000', newestFirst: false, concurrency: 2 },
      searchAttributes: false,
    }),
    requested: () => ({}),
  },
  result: { windows: WINDOWS },
  expectSound: async (small) => {
    const online = await onlineIfThere(small);
    if (online?.metadata.currentSnapshotId == null) return;
    await expectIntact(online);
    const windows = coveredWindows(online);
    const rows = windows.flatMap((window) => newestOfWindow(window));
    expect((await small.onlineRows()).map(String).toSorted()).toEqual(rows.map(String).toSorted());
    expect(windowKeys(online)).toHaveLength(windows.length);
  },
  expectDone: async (small) => expect(coveredWindows(await small.online())).toEqual([0, 1, 2, 3]),
  written: ({ view }) => ({ table: `moraine_online.${view}`, rows: WINDOWS * SENSORS }),
};

/** Of every window that a backfill has committed to a table, the key that its commit recorded. */
export const windowKeys = ({ metadata }: Table): readonly string[] =>
  metadata.snapshots.flatMap(({ summary }) => summary.get(WINDOW_KEYS)?.split(' ') ?? []);

/** By their numbers, as far as the online table says that it has them. */
function coveredWindows({ metadata }: Table): readonly number[] {
  const windowUs = BigInt(WINDOW_SECONDS * 1_000_000);
  const coverage = effectiveProgress(metadata).progress?.coverage ?? [];
  return Array.from({ length: WINDOWS }, (_, window) => window).filter((window) => {
    const startUs = BigInt(window) * windowUs;
    return coverage.some((piece) => (piece.startUs ?? 0n) <= startUs && (piece.endUs ?? 0n) >= startUs + windowUs);
  });
}

/** Sensor, second and reading of the newest row of each sensor, as {@link SmallProject.append} numbers them. */
function newestOfWindow(window: number): readonly (readonly number[])[] {
  return Array.from({ length: SENSORS }, (_, sensor) => {
    const second = (window + 1) * WINDOW_SECONDS - SENSORS + sensor;
    return [sensor, second, second];
  });
}

const onlineIfThere = (small: SmallProject): Promise<Table | null> => ifThere(small.online());

async function ifThere(table: Promise<Table>): Promise<Table | null> {
  try {
    return await table;
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) return null;
    throw error;
  }
}

const LABEL_STEP_US = 600_000_000n;
/** Windows of ten minutes from half past on; there is a label for each minute from ten past on. */
const LABEL_WINDOWS = 3;
const LABELS_FROM_US = 3n * LABEL_STEP_US;
const FIRST_LABEL = 20;
const trainingSetOf = ({ view }: SmallProject): string => `set_${view}`;

export const TRAINING_BACKFILL: Work = {
  name: 'backfill of a training set',
  workflow: 'backfill',
  options: {},
  prepare: async (small) => (await TrainingProject.over(small)).moraine.close(),
  input: (small) => ({
    trainingSet: {
      ...{ name: trainingSetOf(small), to: `demo.${trainingSetOf(small)}` },
      ...{ features: [small.view], entities: { table: 'demo.labels' } },
    },
    ...{ start: '1970-01-01T00:30:00Z', end: '1970-01-01T01:00:00Z', step: '10m' },
    ...{ concurrency: 2, windowsPerCommit: 2 },
  }),
  run: {
    type: 'backfillRun',
    workflowId: ({ view }) => `backfill/set ${view}/three windows`,
    input: (small) => ({
      trainingSet: TRAINING_BACKFILL.input(small)['trainingSet'],
      ...{ startUs: '1800000000', endUs: '3600000000', stepUs: '600000000', newestFirst: false, concurrency: 2 },
      searchAttributes: false,
    }),
    requested: () => ({}),
  },
  result: { windows: LABEL_WINDOWS, rows: String(LABELS - FIRST_LABEL) },
  expectSound: async (small) => {
    const table = await ifThere(small.project.loadTable(`demo.${trainingSetOf(small)}`));
    if (table?.metadata.currentSnapshotId == null) return;
    await expectIntact(table);
    const windows = labelWindows(table);
    const rows = Array.from({ length: LABELS - FIRST_LABEL }, (_, index) => FIRST_LABEL + index).filter((label) =>
      windows.includes(Math.floor((label - FIRST_LABEL) / 10)),
    );
    const select = `SELECT replace(label, 'label ', '')::DOUBLE, reading FROM rows ORDER BY ALL`;
    expect(await small.query(table, select)).toEqual(rows.map((label) => [label, readingOfLabel(label)]));
    expect(windowKeys(table)).toHaveLength(windows.length);
  },
  expectDone: async (small) => {
    const { datasets } = await datasetDeps(small.project);
    const saved = (await datasets.list()).map(({ record: { name, rows } }) => [name, rows]);
    expect(saved).toEqual([[trainingSetOf(small), BigInt(LABELS - FIRST_LABEL)]]);
  },
  written: (small) => ({ table: `demo.${trainingSetOf(small)}`, rows: LABELS - FIRST_LABEL }),
};

/** By their numbers, as far as the table says that it has them. */
function labelWindows({ metadata }: Table): readonly number[] {
  const { coverage } = trainingProgress(metadata);
  return Array.from({ length: LABEL_WINDOWS }, (_, window) => window).filter((window) => {
    const startUs = LABELS_FROM_US + BigInt(window) * LABEL_STEP_US;
    return uncovered(coverage, { startUs, endUs: startUs + LABEL_STEP_US }).length === 0;
  });
}

/** The newest reading of a label's sensor, as {@link TrainingProject} numbers them: the reading of second 100n + sensor is its second. */
function readingOfLabel(label: number): number | null {
  if (label >= LABELS - 2) return null; // of a sensor that is not there, and of none
  const second = 600 + label * 60;
  const sensor = label % 40;
  return second - ((second - sensor) % 100);
}

const FILES = 5;
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

/** The rows that were appended and not deleted, as {@link SmallProject.append} numbers them; nothing that is young has gone. */
async function expectSameRows(small: SmallProject): Promise<void> {
  const rows = Array.from({ length: FILES * ROWS_PER_FILE }, (_, i) => `${i}|${i % ROWS_PER_FILE}|${i}`);
  expect(await small.sourceRows()).toEqual(rows.filter((_, i) => i !== DELETED));
  await expectIntact(await small.source());
  expect(await small.hasFile(await inFlight(small))).toBe(true);
}

/** The single run of a table, which takes its requests by signals. */
const tableRun = (workflow: 'compact' | 'maintain', request: Work['input']): WorkRun => ({
  type: `${workflow}Run`,
  workflowId: ({ table }) => `${workflow}/${table}`,
  input: ({ table }) => ({ table, searchAttributes: false }),
  requested: (small) => ({ request: request(small) }),
});

const writtenSource = (small: SmallProject) => ({ table: small.table, rows: FILES * ROWS_PER_FILE - 1 });

export const COMPACT: Work = {
  name: 'compact',
  workflow: 'compact',
  options: { hasOwnTable: true },
  prepare: prepareSmallFiles,
  input: ({ table }) => ({ table, strategy: 'binpack' }),
  run: tableRun('compact', (small) => COMPACT.input(small)),
  result: { groups: 1, filesAdded: 1 },
  expectSound: expectSameRows,
  expectDone: async (small) => {
    const source = await small.source();
    expect(await filesOf(source)).toHaveLength(1);
    const operations = source.metadata.snapshots.map(({ summary }) => summary.get('operation'));
    expect(operations).toEqual([...Array.from({ length: FILES }, () => 'append'), 'delete', 'replace']);
  },
  written: writtenSource,
};

const TAG = 'kept';
const LONG_AGO = new Date(Date.now() - 30 * 86_400_000);

export const MAINTAIN: Work = {
  name: 'maintain',
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
    await small.age(await orphan(small), LONG_AGO);
  },
  input: ({ table }) => ({ table, olderThan: '0s', retainLast: 1 }),
  run: tableRun('maintain', (small) => MAINTAIN.input(small)),
  result: { expiredSnapshots: FILES },
  expectSound: async (small) => {
    await expectSameRows(small);
    expect(await filesOf(await small.source())).toHaveLength(1);
    expect((await small.source()).metadata.refs.has(TAG)).toBe(true);
  },
  expectDone: async (small) => {
    const { snapshots } = (await small.source()).metadata;
    // The tagged one, that of the compaction, and what rewriting manifests may add.
    expect(snapshots.map(({ summary }) => summary.get('operation')).slice(0, 2)).toEqual(['append', 'replace']);
    expect(snapshots.length).toBeLessThanOrEqual(3);
    expect(await small.hasFile(await orphan(small))).toBe(false);
  },
  written: writtenSource,
};

export const WORKS: readonly Work[] = [MATERIALIZE, BACKFILL, TRAINING_BACKFILL, COMPACT, MAINTAIN];
