/** `table scan --as-of` and `--ref` on a table that was rolled back, evolved, branched, tagged and expired. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { currentSchema, type TableUpdate } from '../../iceberg/index.js';
import { moraine, moraineOk } from '../support/cli.js';
import { openTableWorld, schemaOf, type TableWorld } from '../support/table-world.js';

// Each command is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

const ID = { namespace: ['demo'], name: 't' };

/** Makes the next commit's log entry later than the last one. */
async function update(world: TableWorld, ...updates: TableUpdate[]): Promise<void> {
  await sleep(5);
  await world.catalog.commitTable(ID, { requirements: [], updates });
}

async function append(world: TableWorld, select: string): Promise<bigint> {
  await sleep(5);
  return (await world.append('t', select)).snapshotId;
}

const branch = (refName: string, snapshotId: bigint): TableUpdate => ({
  action: 'set-snapshot-ref',
  refName,
  ref: { type: 'branch', snapshotId },
});

async function addColumn(world: TableWorld): Promise<void> {
  const schema = currentSchema((await world.load('t')).metadata);
  const column = { id: 2, name: 'note', required: false, type: { kind: 'string' } } as const;
  const evolved = { ...schema, schemaId: 1, fields: [...schema.fields, column] };
  await update(world, { action: 'add-schema', schema: evolved }, { action: 'set-current-schema', schemaId: 1 });
}

it('reads the table as it was, with the schema that belongs to what was asked for', async () => {
  const world = await openTableWorld();
  writeFileSync(join(world.folder, 'moraine.yaml'), 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\n');
  /** The rows in the order of `n`. */
  const scan = async (...options: string[]): Promise<string> => {
    const printed = await moraineOk(['table', 'scan', 'demo.t', ...options], { cwd: world.folder });
    return printed
      .split(/(?<=\n)/)
      .sort()
      .join('');
  };
  const refused = async (...options: string[]): Promise<(string | number | null | undefined)[]> => {
    const { code, stdout, stderr } = await moraine(['table', 'scan', 'demo.t', ...options], { cwd: world.folder });
    return [code, stdout, /\[([A-Z_]+)\]/.exec(stderr)?.[1]];
  };

  await world.create('t', schemaOf({ n: 'long' }));
  const first = await append(world, 'SELECT 1::BIGINT');
  const wrong = await append(world, 'SELECT 2::BIGINT');
  await update(world, branch('main', first));
  await update(world, {
    action: 'set-snapshot-ref',
    refName: 'v1',
    ref: { type: 'tag', snapshotId: first },
  });
  await update(world, branch('audit', first));
  await addColumn(world);
  const last = await append(world, "SELECT 3::BIGINT, 'x'");
  const log = (await world.load('t')).metadata.snapshotLog;
  expect(log.map(({ snapshotId }) => snapshotId)).toEqual([first, wrong, first, last]);
  const [at1 = 0, at2 = 0, at3 = 0, at4 = 0] = log.map(({ timestampMs }) => Number(timestampMs));
  const iso = (ms: number): string => new Date(ms).toISOString();

  const one = '{"n":1}\n';
  const two = '{"n":1}\n{"n":2}\n';
  const three = '{"n":1,"note":null}\n{"n":3,"note":"x"}\n';
  expect(await scan()).toBe(three);
  expect(await scan('--as-of', iso(at1))).toBe(one);
  expect(await scan('--as-of', iso(at2 - 1))).toBe(one);
  // Rolled back later, but current then.
  expect(await scan('--as-of', iso(at2))).toBe(two);
  expect(await scan('--as-of', iso(at3 - 1))).toBe(two);
  expect(await scan('--as-of', iso(at3))).toBe(one);
  // The last microsecond before the next entry.
  expect(await scan('--as-of', iso(at4 - 1).replace('Z', '999Z'))).toBe(one);
  expect(await scan('--as-of', iso(at4))).toBe(three);
  expect(await scan('--snapshot', String(wrong))).toBe(two);
  expect(await refused('--as-of', iso(at1 - 1))).toEqual([3, '', 'SNAPSHOT_NOT_FOUND']);

  // A branch is read with the table's schema of now, a tag with that of its snapshot.
  expect(await scan('--ref', 'audit')).toBe('{"n":1,"note":null}\n');
  expect(await scan('--ref', 'v1')).toBe(one);
  expect(await scan('--ref', 'audit', '--where', 'note IS NULL')).toBe('{"n":1,"note":null}\n');
  expect(await refused('--ref', 'v1', '--where', 'note IS NULL')).toEqual([3, '', 'COLUMN_NOT_FOUND']);
  expect(await refused('--ref', 'v2')).toEqual([3, '', 'SNAPSHOT_NOT_FOUND']);

  await update(world, { action: 'remove-snapshots', snapshotIds: [wrong] });
  expect(await refused('--snapshot', String(wrong))).toEqual([3, '', 'SNAPSHOT_NOT_FOUND']);
  // The log forgets everything up to the snapshot that is gone.
  expect(await refused('--as-of', iso(at2))).toEqual([3, '', 'SNAPSHOT_NOT_FOUND']);
  expect(await scan('--as-of', iso(at3))).toBe(one);
  expect(await scan()).toBe(three);

  // A snapshot that a later one names as its parent is known to have been there.
  await append(world, "SELECT 4::BIGINT, 'y'");
  await update(world, { action: 'remove-snapshots', snapshotIds: [last] });
  expect(await refused('--snapshot', String(last))).toEqual([3, '', 'SNAPSHOT_EXPIRED']);
  expect(await refused('--as-of', iso(at4))).toEqual([3, '', 'SNAPSHOT_NOT_FOUND']);
  expect(await scan()).toBe(`${three}{"n":4,"note":"y"}\n`);
});
