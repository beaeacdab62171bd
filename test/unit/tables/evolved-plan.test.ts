import { expect, test } from 'vitest';
import {
  bindExpression,
  currentSchema,
  evolveSchema,
  parseExpression,
  parsePartitionSpec,
  type SchemaChange,
} from '../../../iceberg/index.js';
import { commitAppend, commitOverwrite, planFiles, selectSnapshot } from '../../../tables/index.js';
import { dataFile, IDENTIFIER, type TableFixture, tableFixture } from '../../support/table-fixture.js';
import { schemaOf } from '../../support/table-world.js';

async function evolve(fixture: TableFixture, changes: readonly SchemaChange[]): Promise<void> {
  const { metadata } = await fixture.load();
  const schema = evolveSchema(currentSchema(metadata), changes, metadata);
  const updates = [
    { action: 'add-schema', schema },
    { action: 'set-current-schema', schemaId: -1 },
  ] as const;
  await fixture.catalog.commitTable(IDENTIFIER, { requirements: [], updates });
}

async function planned(fixture: TableFixture, where: string): Promise<string[]> {
  const table = await fixture.load();
  const filter = bindExpression(parseExpression(where), currentSchema(table.metadata));
  const { files } = await planFiles(table, { ...selectSnapshot(table.metadata), filter });
  return files.map(({ file }) => file.filePath).sort();
}

test('a partition column that becomes wider: its old partitions are found, also those read before the change', async () => {
  const schema = schemaOf({ k: 'int', v: 'long' });
  const fixture = await tableFixture({ schema, partitionSpec: parsePartitionSpec('k', schema) });
  const [five, six] = [dataFile([5]), dataFile([6])];
  await commitAppend(fixture.table, { files: [five, six] });
  expect(await planned(fixture, 'k = 5')).toEqual([five.filePath]);
  await evolve(fixture, [{ change: 'promote', column: 'k', type: { kind: 'long' } }]);
  const big = dataFile([2n ** 60n]);
  await commitAppend(await fixture.load(), { files: [big] });
  for (const [where, files] of [
    ['k = 5', [five]],
    ['k IN (6, 7)', [six]],
    ['k <> 5', [six, big]],
    [`k = ${2n ** 60n}`, [big]],
    ['k < 6', [five]],
  ] as const) {
    expect([where, await planned(fixture, where)]).toEqual([where, files.map((file) => file.filePath).sort()]);
  }
  const { metadata } = await fixture.load();
  await commitOverwrite(await fixture.load(), {
    files: [],
    removePartitions: { specId: 0, tuples: [[5n]] },
    validateNoNewFilesFrom: metadata.currentSnapshotId,
  });
  expect(await planned(fixture, 'v IS NULL OR v > 0')).toEqual([six.filePath, big.filePath].sort());
});
