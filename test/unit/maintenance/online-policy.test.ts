/** When a policy compacts an online table, and what `latest` then rewrites: docs/online-store.md, "Compaction". */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PartitionStrategy } from '../../../features/index.js';
import { compactDirect, type MaintenancePolicy, planPolicyRuns, tableHealth } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader, type ReadAmplification } from '../../../online/index.js';
import { compactDeps, filesOf } from '../../support/compaction-lab.js';
import { Lab, type SourceRow, VIEW } from '../../support/materialization-lab.js';

const HOUR = 3_600;
const NOW_US = 1_000n * 3_600_000_000n;
const ONLINE = 'moraine_online.readings';
const KEYS = Array.from({ length: 16 }, (_, k) => k);
const POLICY: MaintenancePolicy = {
  tables: 'moraine_online.*',
  compact: { strategy: 'latest', amplification: 4, deleteRatio: 0.3 },
  budgetBytes: 10e9,
};
const RUN = { table: ONLINE, policy: 0, compact: { strategy: 'latest', maxBytes: expect.any(Number) as number } };

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
});
afterEach(() => lab.close());

const run = () => materializeDirect(lab.deps, { view: 'readings', nowUs: NOW_US });
const compact = () =>
  compactDirect(compactDeps(lab, lab.definitions), { table: ONLINE, strategy: 'latest' }, { nowUs: NOW_US });
const rowsAt = (at: number, keys: readonly number[] = KEYS): readonly SourceRow[] =>
  keys.map((k) => ({ k, at, v: at + k }));

/** What health says that reads pay, and a service. */
async function reads(): Promise<ReadAmplification | null> {
  const health = await tableHealth(await lab.online(), 0n);
  const reader = new OnlineReader({ ...lab.deps, queueTimeoutMs: 60_000 });
  await reader.getOnlineFeatures({ view: 'readings', entities: [{ k: 0 }], nowUs: NOW_US, readTimeoutMs: 60_000 });
  const [open] = reader.openViews;
  await reader.close();
  expect(open).toMatchObject(health.reads ?? {});
  return health.reads;
}

const planned = async () =>
  planPolicyRuns([POLICY], [{ table: ONLINE, health: await tableHealth(await lab.online(), 0n) }]);

describe.each([
  ['timestamp', 1],
  ['hybrid', 2],
] as const satisfies readonly (readonly [PartitionStrategy, number])[])(
  'a table of the strategy %s',
  (onlinePartitionStrategy, filesOfHour) => {
    beforeEach(() => {
      lab.view = { ...VIEW, onlineBuckets: 2, onlinePartitionStrategy };
    });

    it('is compacted by a policy once hourly runs left many rows of each entity, and then left alone', async () => {
      for (let hour = 0; hour < 4; hour += 1) {
        await lab.append(rowsAt(hour * HOUR));
        await run();
      }
      // A file without a partition is of no hour: hybrid writes such.
      const filesPerPartition = onlinePartitionStrategy === 'timestamp' ? 1 : 4;
      expect(await reads()).toEqual({ filesPerRead: 4, filesPerPartition, rowsPerEntity: 4 });
      expect(await planned()).toEqual([RUN]);
      expect(await compact()).toMatchObject({ groups: 1, filesRemoved: 3 + filesOfHour });
      expect(await filesOf(await lab.online())).toHaveLength(filesOfHour);
      expect(await reads()).toEqual({ filesPerRead: 1, filesPerPartition: 1, rowsPerEntity: 1 });
      expect(await planned()).toEqual([]);
    });

    it('is left alone where one run wrote all hours: each entity has one row, though an absent key opens each', async () => {
      lab.view = { ...lab.view, onlineBuckets: 1 };
      // More rows than a file without a partition has.
      const time = `make_timestamptz((range % 49) * ${HOUR} * 1000000)`;
      await lab.appendSelect(`SELECT range::BIGINT, ${time}, NULL::TIMESTAMPTZ, 1::DOUBLE FROM range(20000)`);
      await run();
      expect(await reads()).toEqual({ filesPerRead: 49, filesPerPartition: 1, rowsPerEntity: 1 });
      expect(await planned()).toEqual([]);
      expect(await compact()).toMatchObject({ groups: 0, snapshotId: null });
    });
  },
);

it('a table by hours is compacted by a policy once one hour has many files', async () => {
  lab.view = { ...VIEW, onlinePartitionStrategy: 'timestamp' };
  await lab.append(Array.from({ length: 30 }, (_, hour) => ({ k: hour, at: hour * HOUR, v: hour })));
  await run();
  for (const k of [1, 2]) await lab.pushRows([{ k, at: 29 * HOUR, v: k }]);
  expect(await reads()).toEqual({ filesPerRead: 32, filesPerPartition: 3, rowsPerEntity: 32 / 30 });
  expect(await planned()).toEqual([]);
  await lab.pushRows([{ k: 3, at: 29 * HOUR, v: 3 }]);
  expect(await reads()).toEqual({ filesPerRead: 33, filesPerPartition: 4, rowsPerEntity: 1.1 });
  expect(await planned()).toEqual([RUN]);
  expect(await compact()).toMatchObject({ groups: 1, filesRemoved: 4, filesAdded: 1 });
  expect(await planned()).toEqual([]);
});

describe('a table by buckets', () => {
  const HEALTH = { dataFiles: 10, dataBytes: 1_000_000n, rows: 1n, partitions: 1, amplification: 1 };
  const SHAPE = { smallFiles: 0, deleteFiles: 0, deleteRatio: 0, manifests: 1, snapshots: 1 };
  const AGES = { oldestSnapshotAgeMs: 0n, freshnessMs: 0n };

  it.each([
    [3.9, 1.49, false],
    [4, 1.49, true],
    [3.9, 1.5, true],
  ])('with %d files per read and %d rows per entity: a policy compacts it (%s)', (files, rowsPerEntity, isPlanned) => {
    const figures = { filesPerRead: files, filesPerPartition: files, rowsPerEntity };
    const states = [{ table: ONLINE, health: { ...HEALTH, ...SHAPE, ...AGES, reads: figures } }];
    expect(planPolicyRuns([POLICY], states)).toEqual(isPlanned ? [RUN] : []);
    // Other strategies go by the files of partitions.
    const compactBy = { strategy: 'binpack', amplification: 1.1, deleteRatio: 0.3 } as const;
    expect(planPolicyRuns([{ ...POLICY, compact: compactBy }], states)).toEqual([]);
  });

  it.each([
    [7, 23 / 16, false],
    [8, 1.5, true],
  ])('has a bucket of 16 rows and one file of %i more, which is %d rows per entity', async (more, ratio, isWorth) => {
    lab.view = { ...VIEW, onlineBuckets: 1 };
    await lab.append(rowsAt(10));
    await run();
    await lab.append(rowsAt(20, KEYS.slice(0, more)));
    await run();
    expect(await reads()).toEqual({ filesPerRead: 2, filesPerPartition: 2, rowsPerEntity: ratio });
    expect(await planned()).toEqual(isWorth ? [RUN] : []);
    const done = await compact();
    expect(done).toMatchObject(
      isWorth ? { groups: 1, filesRemoved: 2, filesAdded: 1 } : { groups: 0, snapshotId: null },
    );
  });

  it('has three files of a bucket, which stay, and four, which become one', async () => {
    lab.view = { ...VIEW, onlineBuckets: 1 };
    await lab.append(rowsAt(10));
    await run();
    for (const k of [1, 2]) await lab.pushRows([{ k, at: 20, v: k }]);
    expect(await planned()).toEqual([]);
    expect(await compact()).toMatchObject({ groups: 0, snapshotId: null });
    await lab.pushRows([{ k: 3, at: 20, v: 3 }]);
    expect(await planned()).toEqual([RUN]);
    expect(await compact()).toMatchObject({ groups: 1, filesRemoved: 4, filesAdded: 1 });
  });
});
