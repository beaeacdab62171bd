/** Ten thousand snapshots in one metadata file: every command answers within a small heap, and work does not grow with history. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { currentSnapshot, type Snapshot, type TableMetadata, tableMetadataToJson } from '../../iceberg/index.js';
import { snapshotChanges } from '../../tables/index.js';
import { jsonLines, moraineOk } from '../support/cli.js';
import { openTableWorld, schemaOf, type TableWorld } from '../support/table-world.js';

const SNAPSHOTS = 10_000;
const FIRST_MS = 1_700_000_000_000n;
/** Places in the history of the three commits that added rows; the others changed nothing. */
const COMMITS = [0, 3_000, 6_000];
/** Of the heap of JavaScript: the metadata are 5 MB of text. */
const HEAP = { NODE_OPTIONS: '--max-old-space-size=96' };

const timeOf = (index: number): string => new Date(Number(FIRST_MS) + index * 60_000).toISOString();

/** The table of the three commits with as many snapshots between and after them. */
function withHistory(metadata: TableMetadata): TableMetadata {
  const snapshots: Snapshot[] = [];
  for (let index = 0; index < SNAPSHOTS; index += 1) {
    const commit = metadata.snapshots[COMMITS.findLastIndex((start) => start <= index)];
    if (commit === undefined) throw new Error('three commits are needed');
    const parentSnapshotId = snapshots.at(-1)?.snapshotId;
    const { manifestList = '', summary } = commit;
    snapshots.push({
      manifestList,
      summary,
      schemaId: metadata.currentSchemaId,
      snapshotId: COMMITS.includes(index) ? commit.snapshotId : BigInt(index + 1),
      sequenceNumber: BigInt(index + 1),
      timestampMs: FIRST_MS + BigInt(index) * 60_000n,
      ...(parentSnapshotId === undefined ? {} : { parentSnapshotId }),
    });
  }
  const currentSnapshotId = BigInt(SNAPSHOTS);
  return {
    ...metadata,
    snapshots,
    snapshotLog: snapshots.map(({ snapshotId, timestampMs }) => ({ snapshotId, timestampMs })),
    currentSnapshotId,
    refs: new Map([['main', { type: 'branch', snapshotId: currentSnapshotId }]]),
    lastSequenceNumber: BigInt(SNAPSHOTS),
    lastUpdatedMs: snapshots.at(-1)?.timestampMs ?? 0n,
  };
}

async function worldOfManySnapshots(): Promise<TableWorld> {
  const world = await openTableWorld();
  writeFileSync(join(world.folder, 'moraine.yaml'), 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\n');
  await world.create('made', schemaOf({ id: 'long' }));
  for (const id of [1, 2, 3]) await world.append('made', `SELECT ${id}::BIGINT`);
  const { metadata } = await world.load('made');
  const location = `${metadata.location}/metadata/many.metadata.json`;
  await world.io.create(location, Buffer.from(tableMetadataToJson(withHistory(metadata))));
  await world.catalog.registerTable({ namespace: ['demo'], name: 'many' }, location);
  return world;
}

test('ten thousand snapshots: scans, time travel, what changed and appends', { timeout: 120_000 }, async () => {
  const world = await worldOfManySnapshots();
  const options = { cwd: world.folder, env: HEAP };
  const ids = async (...more: string[]) => {
    const rows = jsonLines(await moraineOk(['table', 'scan', 'demo.many', ...more], options));
    return (rows as { readonly id: number }[]).map(({ id }) => id).sort();
  };
  expect(await ids('--as-of', timeOf(2_999))).toEqual([1]);
  expect(await ids('--as-of', timeOf(3_000))).toEqual([1, 2]);

  const table = await world.load('many');
  const first = table.metadata.snapshots[0]?.snapshotId ?? 0n;
  const changes = await snapshotChanges(table, first, BigInt(SNAPSHOTS));
  if ('gap' in changes) throw new Error(changes.gap);
  expect(changes.snapshots).toHaveLength(SNAPSHOTS - 1);
  const added = changes.snapshots.flatMap((change, index) => change.added.map(() => index + 1));
  expect(added).toEqual([3_000, 6_000]);

  writeFileSync(join(world.folder, 'more.csv'), 'id\n4\n');
  await moraineOk(['table', 'append', 'demo.many', 'more.csv'], options);
  expect(await ids()).toEqual([1, 2, 3, 4]);
  expect(await ids('--as-of', timeOf(9_999))).toEqual([1, 2, 3]);
  const { metadata } = await world.load('many');
  expect(metadata.snapshots).toHaveLength(SNAPSHOTS + 1);
  expect(currentSnapshot(metadata)).toMatchObject({ parentSnapshotId: 10_000n, sequenceNumber: 10_001n });
});
