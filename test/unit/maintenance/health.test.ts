import { expect, test } from 'vitest';
import { parseConfig } from '../../../config/index.js';
import {
  type MaintenancePolicy,
  planPolicyRuns,
  policyFor,
  type TableHealth,
  tableHealth,
} from '../../../maintenance/index.js';
import { commitAppend } from '../../../tables/index.js';
import { codeOf } from '../../support/error-code.js';
import { dataFile, tableFixture } from '../../support/table-fixture.js';

const MB = 2n ** 20n;

test('health counts what the manifests of the current snapshot list', async () => {
  const { table, load } = await tableFixture({
    properties: new Map([['write.target-file-size-bytes', String(100n * MB)]]),
  });
  const file = (category: string, megabytes: bigint) =>
    dataFile([category], { recordCount: 100n, fileSizeInBytes: megabytes * MB });
  // Partition a: 10 + 20 + 90 MB, would be 2 files; b: one lone small file; c: 250 MB in one file, would be 3.
  await commitAppend(table, { files: [file('a', 10n), file('a', 20n), file('b', 1n)] });
  await commitAppend(table, { files: [file('a', 90n), file('c', 250n)] });
  const { metadata } = await load();
  const [first, second] = metadata.snapshots.map(({ timestampMs }) => timestampMs);
  const health = await tableHealth(await load(), (second ?? 0n) + 5000n);
  expect(health).toEqual({
    dataFiles: 5,
    dataBytes: 371n * MB,
    rows: 500n,
    partitions: 3,
    amplification: 5 / 6,
    reads: null,
    smallFiles: 2,
    deleteFiles: 0,
    deleteRatio: 0,
    manifests: 2,
    snapshots: 2,
    oldestSnapshotAgeMs: (second ?? 0n) - (first ?? 0n) + 5000n,
    freshnessMs: 5000n,
  } satisfies TableHealth);
});

test('a table without a snapshot has no ages', async () => {
  const { table } = await tableFixture();
  expect(await tableHealth(table, 0n)).toMatchObject({
    dataFiles: 0,
    amplification: 0,
    oldestSnapshotAgeMs: null,
    freshnessMs: null,
  });
});

function state(table: string, gigabytes: bigint, amplification: number, deleteRatio = 0) {
  const none = {
    partitions: 1,
    reads: null,
    smallFiles: 0,
    deleteFiles: 0,
    manifests: 1,
    snapshots: 1,
    oldestSnapshotAgeMs: 0n,
    freshnessMs: 0n,
  };
  return {
    table,
    health: { ...none, dataFiles: 10, dataBytes: gigabytes * 10n ** 9n, rows: 1n, amplification, deleteRatio },
  };
}

const POLICY: MaintenancePolicy = {
  tables: 'shop.*',
  compact: { strategy: 'binpack', amplification: 4, deleteRatio: 0.3 },
  maintain: { olderThan: '7d' },
  budgetBytes: 10e9,
};

test('a budget is shared alike; what small tables leave goes to the large ones; the neediest come first', () => {
  const runs = planPolicyRuns(
    [POLICY],
    [
      state('shop.healthy', 50n, 1.5),
      state('shop.large', 100n, 8),
      state('shop.small', 1n, 4),
      state('shop.deleted', 50n, 1, 0.3),
      state('other.t', 1n, 100),
    ],
  );
  const maintain = { olderThan: '7d' };
  expect(runs).toEqual([
    { table: 'shop.large', policy: 0, compact: { strategy: 'binpack', maxBytes: 4.5e9 }, maintain },
    { table: 'shop.small', policy: 0, compact: { strategy: 'binpack', maxBytes: 1e9 }, maintain },
    { table: 'shop.healthy', policy: 0, maintain },
    { table: 'shop.deleted', policy: 0, compact: { strategy: 'binpack', maxBytes: 4.5e9 }, maintain },
  ]);
});

test('the first pattern that fits holds; a dot and other signs are themselves', () => {
  const named = (tables: string): MaintenancePolicy => ({ tables, budgetBytes: 1 });
  const policies = ['shop.orders', 'shop.*', 'other/a.*_x', '*'].map(named);
  const found = ['shop.orders', 'shop.items', 'shopXitems', 'other/a.b_x'].map(
    (table) => policyFor(policies, table)?.tables,
  );
  expect(found).toEqual(['shop.orders', 'shop.*', '*', 'other/a.*_x']);
  expect(policyFor([named('a.*')], 'ba.c')).toBeUndefined();
});

test('a policy in moraine.yaml is read with its defaults; mistakes are named with their lines', () => {
  const read = (text: string) => parseConfig(text, { file: '/p/moraine.yaml' });
  const { maintenance } = read(
    'maintenance:\n  - tables: "shop.*"\n    compact: {}\n    maintain: { olderThan: 7d }\n    budget: 2GB\n',
  );
  expect(maintenance).toEqual([
    {
      tables: 'shop.*',
      compact: { strategy: 'binpack', amplification: 4, deleteRatio: 0.3 },
      maintain: { olderThan: '7d' },
      budgetBytes: 2e9,
    },
  ]);
  const bad = [
    'budget: 0',
    'budget: 0GB',
    'buget: 1GB',
    'maintain: { olderThan: soon }',
    'compact: { strategy: best }',
  ];
  for (const line of bad) {
    const attempt = () => read(`maintenance:\n  - tables: "*"\n    ${line}\n`);
    expect(codeOf(attempt), line).toBe('CONFIG_INVALID');
    expect(attempt, line).toThrow(/moraine\.yaml:3: /);
  }
  expect(() => read('maintenance:\n  - tables: "*"\n    buget: 1GB\n')).toThrow(/did you mean budget/);
});
