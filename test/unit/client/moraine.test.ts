import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine, parseSchema } from '../../../index.js';

let folder: string;
let moraine: Moraine;
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-client-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
});
afterEach(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function tableOf(...fields: readonly [name: string, type: string, required?: boolean][]): Promise<void> {
  const schema = parseSchema({
    type: 'struct',
    'schema-id': 0,
    fields: fields.map(([name, type, required = false], index) => ({ id: index + 1, name, type, required })),
  });
  await moraine.createTable('a.t', { schema });
}

describe('appending a file', () => {
  it('commits once, and not at all without rows', async () => {
    const first = await moraine.appendFile('a.t', file('x.csv', 'id\n1\n2\n'), { create: true });
    expect(first).toMatchObject({ created: true, rows: 2n, files: 1 });
    const empty = await moraine.appendFile('a.t', file('y.csv', 'id\n'));
    expect(empty).toEqual({ created: false, rows: 0n, files: 0, bytes: 0n, snapshotId: null });
    const { metadata } = await moraine.project.loadTable('a.t');
    expect(metadata.snapshots.map(({ snapshotId }) => snapshotId)).toEqual([first.snapshotId]);
  });

  it.each([
    ['int', '3000000000\n7', 'column "v": 1 values of type long in the file that do not fit int'],
    ['long', '1.5\n2', 'column "v": 1 values of type double in the file that do not fit long'],
    ['decimal(3,1)', '1.25\n99.9', 'column "v": 1 values of type double in the file that do not fit decimal(3, 1)'],
    ['double', '9007199254740993\n1', 'column "v": 1 values of type long in the file that do not fit double'],
    ['boolean', '1\n0', 'column "v" is long in the file and boolean in the table'],
    [
      'date',
      '2001-01-01T00:00:01\n2001-01-01T00:00:00',
      'column "v": 1 values of type timestamp in the file that do not fit date',
    ],
  ])('refuses values that would change in a column of type %s, and writes nothing', async (type, values, message) => {
    await tableOf(['v', type]);
    await expect(moraine.appendFile('a.t', file('x.csv', `v\n${values}\n`))).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message,
    });
    expect((await moraine.project.loadTable('a.t')).metadata.currentSnapshotId).toBeNull();
  });

  it('refuses nulls and missing columns where a value is required', async () => {
    await tableOf(['id', 'long', true], ['v', 'long']);
    await expect(moraine.appendFile('a.t', file('x.csv', 'id,v\n1,1\n,2\n'))).rejects.toMatchObject({
      message: 'column "id": 1 nulls, but the column is required',
    });
    await expect(moraine.appendFile('a.t', file('y.csv', 'v\n1\n'))).rejects.toMatchObject({
      message: 'the file lacks the column "id", which is required',
    });
  });
});

describe('the library', () => {
  it('applies typed definitions and retrieves features at a time', async () => {
    await moraine.appendFile('a.f', file('f.csv', 'k,at,v\n1,2001-01-01T00:00:00Z,10\n1,2001-01-02T00:00:00Z,20\n'), {
      create: true,
    });
    const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
    const view = defineFeatureView({
      name: 'values',
      entities: [thing],
      source: { table: 'a.f', timestampField: 'at' },
      features: ['v'],
    });
    await moraine.apply([thing, view]);
    const { table, snapshots } = await moraine.getHistoricalFeatures({
      features: [view.feature('v')],
      entities: [
        { k: 1, event_timestamp: new Date('2001-01-01T12:00:00Z') },
        { k: 1, event_timestamp: new Date('2001-01-03T00:00:00Z') },
        { k: 2, event_timestamp: new Date('2001-01-03T00:00:00Z') },
      ],
    });
    expect([...(table.getChild('v') ?? [])]).toEqual([10n, 20n, null]);
    expect([...snapshots.keys()]).toEqual(['a.f']);
    await expect(
      moraine.apply([
        defineFeatureView({ name: 'bad', entities: [thing], source: { table: 'a.f', timestampField: 'nope' } }),
      ]),
    ).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
    });
  });
});
