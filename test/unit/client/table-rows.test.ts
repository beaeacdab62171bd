/** Deleting rows and upgrading tables through the library. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMoraine, type Moraine, parseSchema } from '../../../index.js';
import { rejectionCode } from '../../support/error-code.js';

let folder: string;
let moraine: Moraine;
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-rows-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
});
afterEach(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

const append = (name: string, text: string) => {
  const path = join(folder, 'rows.csv');
  writeFileSync(path, text);
  return moraine.appendFile(name, path, { create: true });
};

test('rows are deleted by vectors once a table is of version 3; there is no way back', async () => {
  await append('a.t', 'id,x\n1,10\n2,20\n3,\n');
  expect(await moraine.deleteRows('a.t', 'x > 15')).toMatchObject({ rows: 1n, files: 1, filesRemoved: 0 });
  expect(await moraine.upgradeTable('a.t', 3)).toEqual({ from: 2, to: 3 });
  expect(await moraine.upgradeTable('a.t', 3)).toEqual({ from: 3, to: 3 });
  expect(await rejectionCode(moraine.upgradeTable('a.t', 2))).toBe('INVALID_ARGUMENT');
  expect(await moraine.deleteRows('a.t', 'x > 15')).toMatchObject({ rows: 0n, snapshotId: null });
  expect(await moraine.deleteRows('a.t', 'id = 1', { dryRun: true })).toMatchObject({ rows: 1n, snapshotId: null });
  expect(await moraine.deleteRows('a.t', 'id = 1')).toMatchObject({ rows: 1n });
  const { metadata } = await moraine.project.loadTable('a.t');
  expect(metadata.snapshots.at(-1)?.summary.get('added-dvs')).toBe('1');
  expect(metadata.snapshots.at(-1)?.summary.get('total-position-deletes')).toBe('2');
});

test('what cannot be deleted by is refused, nothing is changed', async () => {
  await append('a.t', 'id,x\n1,10\n');
  const before = (await moraine.project.loadTable('a.t')).metadataLocation;
  expect(await rejectionCode(moraine.deleteRows('a.t', 'id ='))).toBe('EXPRESSION_INVALID');
  expect(await rejectionCode(moraine.deleteRows('a.t', 'nope = 1'))).toBe('COLUMN_NOT_FOUND');
  expect(await rejectionCode(moraine.deleteRows('a.none', 'id = 1'))).toBe('TABLE_NOT_FOUND');
  expect((await moraine.project.loadTable('a.t')).metadataLocation).toBe(before);
});

test('a table of version 3 has nanoseconds, one of version 2 is refused them', async () => {
  const schema = parseSchema({
    type: 'struct',
    'schema-id': 0,
    fields: [{ id: 1, name: 'at', required: false, type: 'timestamp_ns' }],
  });
  expect(await rejectionCode(moraine.createTable('a.two', { schema }))).toBe('SCHEMA_INVALID');
  await moraine.createTable('a.three', { schema, formatVersion: 3 });
  await append('a.three', 'at\n2001-02-03T04:05:06.000000007\n');
  expect((await moraine.project.loadTable('a.three')).metadata.nextRowId).toBe(1n);
});
