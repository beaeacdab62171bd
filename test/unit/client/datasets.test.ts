/** Saved datasets: what is kept of them, and computing them again. */
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine } from '../../../index.js';
import { compactDirect, parseCompactRequest } from '../../../maintenance/index.js';
import { compactDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';

let folder: string;
let moraine: Moraine;
const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
const view = (features: string[], ttl?: '1h') =>
  defineFeatureView({
    name: 'values',
    entities: [thing],
    source: { table: 'a.f', timestampField: 'at' },
    features,
    ...(ttl === undefined ? {} : { ttl }),
  });

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-datasets-')));
  moraine = await createMoraine({ config: { engine: { threads: 2 } }, cwd: folder, fileFolders: [folder] });
  await append('k,at,v,w\n1,2001-01-01T00:00:00Z,1.5,x\n2,2001-01-01T00:00:00Z,,y\n');
  await moraine.apply([thing, view(['v', 'w'])]);
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

async function append(csv: string, table = 'a.f'): Promise<void> {
  const path = join(folder, 'append.csv');
  writeFileSync(path, csv);
  await moraine.appendFile(table, path, { create: true });
}

const ENTITIES = [
  { k: 2, event_timestamp: '2001-01-02T00:00:00Z', label: 'p' },
  { k: 1, event_timestamp: '2001-01-02T00:00:00Z', label: 'q' },
  { k: 1, event_timestamp: '2001-01-02T00:00:00Z', label: 'q' },
];
const LINES = [
  '{"k":2,"event_timestamp":"2001-01-02T00:00:00.000000Z","label":"p","v":null,"w":"y"}',
  '{"k":1,"event_timestamp":"2001-01-02T00:00:00.000000Z","label":"q","v":1.5,"w":"x"}',
  '{"k":1,"event_timestamp":"2001-01-02T00:00:00.000000Z","label":"q","v":1.5,"w":"x"}',
];
const COLUMNS = '[["k","long"],["event_timestamp","timestamptz"],["label","string"],["v","double"],["w","string"]]';

/** The definition of the digest, written down a second time. */
function digestOf(lines: readonly string[], columns: string): string {
  const sum = lines.reduce((total, line) => total + BigInt(`0x${createHash('sha256').update(line).digest('hex')}`), 0n);
  const hex = (sum % 2n ** 256n).toString(16).padStart(64, '0');
  return createHash('sha256').update(`moraine-rows-1\n${columns}\n${lines.length}\n${hex}\n`).digest('hex');
}

const save = (name: string, to: { table: string } | { file: string }, more: object = {}) =>
  moraine.saveDataset({ features: ['values'], entities: ENTITIES, saveAs: { name, to, ...more } });

test('a table and a file: the digest is that of the rows alone, and both are computed again after the source has changed', async () => {
  const table = await save('as_table', { table: 'sets.first' });
  const file = await save('as_file', { file: join(folder, 'first.parquet') });
  const expected = digestOf(LINES, COLUMNS);
  expect([table.digest, file.digest, table.rows]).toEqual([expected, expected, 3n]);
  expect(digestOf([...LINES].reverse(), COLUMNS)).toBe(expected);
  expect(digestOf(LINES.slice(1), COLUMNS)).not.toBe(expected);
  const { metadata } = await moraine.project.loadTable('a.f');
  expect(table.sources.get('a.f')?.snapshotId).toBe(metadata.currentSnapshotId);
  const saved = await moraine.project.loadTable('sets.first');
  const property = JSON.parse(saved.metadata.properties.get('moraine.dataset') ?? '{}') as Record<string, unknown>;
  expect([property['digest'], property['location']]).toEqual([
    expected,
    { table: 'sets.first', snapshotId: String(saved.metadata.currentSnapshotId) },
  ]);
  // A late row and another definition: neither was there when the dataset was saved.
  await append('k,at,v,w\n1,2001-01-01T12:00:00Z,7.5,z\n');
  await moraine.apply([thing, view(['w'], '1h')]);
  const again = await moraine.getHistoricalFeatures({ features: ['values'], entities: ENTITIES });
  expect(again.table.schema.fields.map((field) => field.name)).not.toContain('v');
  for (const name of ['as_table', 'as_file']) {
    expect(await moraine.replayDataset(name)).toEqual({
      recorded: expected,
      rows: 3n,
      stored: expected,
      storedRows: 3n,
      recomputed: expected,
      recomputedRows: 3n,
      differing: [],
      matches: true,
    });
  }
  expect((await moraine.datasets()).map(({ record }) => record.name)).toEqual(['as_file', 'as_table']);
  await moraine.apply([thing, view(['v', 'w'])]);
});

test('names are taken once, and nothing is overwritten', async () => {
  const path = join(folder, 'second.parquet');
  await save('second', { file: path });
  await expect(save('second', { file: join(folder, 'other.parquet') })).rejects.toMatchObject({
    code: 'DATASET_ALREADY_EXISTS',
  });
  expect(existsSync(join(folder, 'other.parquet'))).toBe(false);
  await expect(save('third', { file: path })).rejects.toMatchObject({ code: 'FILE_ALREADY_EXISTS' });
  await expect(save('third', { table: 'a.f' })).rejects.toMatchObject({ code: 'TABLE_ALREADY_EXISTS' });
  await expect(save('no name', { table: 'sets.x' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(moraine.replayDataset('secnd')).rejects.toMatchObject({
    code: 'DATASET_NOT_FOUND',
    message: "There is no dataset 'secnd'. Did you mean 'second'?",
  });
});

test('a column whose type tables of version 2 do not have is refused before anything is written; a file can have it', async () => {
  const entities = [{ k: 1, event_timestamp: '2001-01-02T00:00:00.000000001Z' }];
  const saved = (to: { table: string } | { file: string }) =>
    moraine.saveDataset({ features: ['values'], entities, saveAs: { name: 'fine', to } });
  await expect(saved({ table: 'fine.times' })).rejects.toMatchObject({
    code: 'SCHEMA_INVALID',
    message: expect.stringMatching(/^Column "event_timestamp" of type timestamptz_ns needs .* version 3/) as unknown,
  });
  await expect(moraine.project.loadTable('fine.times')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' });
  const { schema, rows } = await saved({ file: join(folder, 'fine.parquet') });
  expect([rows, schema.fields.map(({ type }) => type.kind)]).toEqual([
    1n,
    ['long', 'timestamptz_ns', 'double', 'string'],
  ]);
  expect((await moraine.replayDataset('fine')).matches).toBe(true);
});

test('a failed save leaves nothing behind, tags included', async () => {
  const tagsBefore = [...(await moraine.project.loadTable('a.f')).metadata.refs.keys()];
  await expect(save('third', { table: 'a.f' }, { pin: true })).rejects.toMatchObject({ code: 'TABLE_ALREADY_EXISTS' });
  expect([...(await moraine.project.loadTable('a.f')).metadata.refs.keys()]).toEqual(tagsBefore);
  expect((await moraine.datasets()).some(({ record }) => record.name === 'third')).toBe(false);
});

test('pinned snapshots are tagged; one that has gone is told', async () => {
  await append('k,at,v,w\n1,2001-01-01T00:00:00Z,1.5,x\n', 'a.g');
  const other = defineFeatureView({ name: 'g', entities: [thing], source: { table: 'a.g', timestampField: 'at' } });
  await moraine.apply([thing, other]);
  const request = { features: ['g:v'], entities: ENTITIES };
  const pinned = await moraine.saveDataset({
    ...request,
    saveAs: { name: 'pinned', to: { table: 'sets.pinned' }, pin: true },
  });
  const loose = await moraine.saveDataset({ ...request, saveAs: { name: 'loose', to: { table: 'sets.loose' } } });
  const snapshotId = pinned.sources.get('a.g')?.snapshotId ?? 0n;
  expect([pinned.tag, loose.tag]).toEqual(['moraine-dataset-pinned', null]);
  const { metadata } = await moraine.project.loadTable('a.g');
  expect(metadata.refs.get('moraine-dataset-pinned')).toEqual({ snapshotId, type: 'tag' });
  await append('k,at,v,w\n1,2001-01-01T00:00:00Z,2.5,x\n', 'a.g');
  expect((await moraine.replayDataset('pinned')).matches).toBe(true);
  const catalog = await moraine.project.catalog();
  const remove = [
    { action: 'remove-snapshot-ref', refName: 'moraine-dataset-pinned' },
    { action: 'remove-snapshots', snapshotIds: [snapshotId] },
  ] as const;
  await catalog.commitTable({ namespace: ['a'], name: 'g' }, { requirements: [], updates: remove });
  await expect(moraine.replayDataset('loose')).rejects.toMatchObject({ code: 'SNAPSHOT_EXPIRED' });
  await catalog.dropTable({ namespace: ['a'], name: 'g' });
  await append('k,at,v,w\n1,2001-01-01T00:00:00Z,1.5,x\n', 'a.g');
  await expect(moraine.replayDataset('loose')).rejects.toMatchObject({ code: 'TABLE_REPLACED' });
});

test('a window is computed again as it was completed, and a dataset that was changed is found out', async () => {
  const window = { start: new Date('2001-01-01T00:00:00Z'), end: new Date('2001-01-01T23:00:00Z') };
  const record = await moraine.saveDataset({
    features: ['values:w'],
    entities: { window },
    saveAs: { name: 'window', to: { table: 'sets.window' } },
  });
  expect(record.digest).toBe(
    digestOf(
      [
        '{"k":1,"event_timestamp":"2001-01-01T00:00:00.000000Z","w":"x"}',
        '{"k":2,"event_timestamp":"2001-01-01T00:00:00.000000Z","w":"y"}',
        '{"k":1,"event_timestamp":"2001-01-01T12:00:00.000000Z","w":"z"}',
      ],
      '[["k","long"],["event_timestamp","timestamptz"],["w","string"]]',
    ),
  );
  expect((await moraine.replayDataset('window')).matches).toBe(true);
  const file = join(folder, 'changed.parquet');
  await save('changed', { file });
  await save('twin', { file: join(folder, 'twin.parquet') });
  rmSync(file);
  await expect(moraine.replayDataset('changed')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  appendFileSync(join(folder, 'twin.parquet'), 'x');
  await expect(moraine.replayDataset('twin')).rejects.toMatchObject({ code: 'DATA_FILE_CORRUPT' });
});

/** After the late row. */
const LATER = LINES.map((line) => line.replace('"v":1.5,"w":"x"', '"v":7.5,"w":"z"'));

/** The findings of replay, without the digests that are as saved. */
async function replayed(name: string) {
  const { recorded, stored, recomputed, rows, storedRows, recomputedRows, differing } =
    await moraine.replayDataset(name);
  const named = (digest: string | null) => (digest === recorded ? 'as saved' : digest);
  return [rows, [storedRows, named(stored)], [recomputedRows, named(recomputed)], differing];
}

/** Every snapshot of a table but its current one is expired. */
async function expire(name: string): Promise<void> {
  const { catalog, identifier } = await moraine.project.resolveTable(name);
  const { metadata } = await catalog.loadTable(identifier);
  const snapshotIds = metadata.snapshots.map((snapshot) => snapshot.snapshotId);
  const old = snapshotIds.filter((id) => id !== metadata.currentSnapshotId);
  await catalog.commitTable(identifier, {
    requirements: [],
    updates: [{ action: 'remove-snapshots', snapshotIds: old }],
  });
}

test('rows that another has deleted from the table of a dataset, or added to it, are found out', async () => {
  await save('kept', { table: 'sets.kept' });
  await moraine.deleteRows('sets.kept', `label = 'q'`);
  const asSaved = [3n, 'as saved'];
  const stored = [1n, digestOf(LINES.slice(0, 1), COLUMNS)];
  expect(await replayed('kept')).toEqual([3n, stored, asSaved, ['stored']]);
  // Gone with the snapshot that had them.
  await expire('sets.kept');
  expect(await replayed('kept')).toEqual([3n, stored, [null, null], ['stored', 'recomputed']]);
  await save('grown', { table: 'sets.grown' });
  await append('k,event_timestamp,label,v,w\n3,2001-01-02T00:00:00Z,r,,\n', 'sets.grown');
  const more = '{"k":3,"event_timestamp":"2001-01-02T00:00:00.000000Z","label":"r","v":null,"w":null}';
  expect(await replayed('grown')).toEqual([3n, [4n, digestOf([...LATER, more], COLUMNS)], asSaved, ['stored']]);
});

test('a table of a dataset with the same rows in other files, of another version, without its first snapshot is as saved', async () => {
  await save('moved', { table: 'sets.moved' });
  await append('k,event_timestamp,label,v,w\n3,2001-01-02T00:00:00Z,r,,\n', 'sets.moved');
  await moraine.upgradeTable('sets.moved', 3);
  await moraine.deleteRows('sets.moved', 'k = 3 OR (k = 1 AND v = 7)');
  const sort = { table: 'sets.moved', strategy: 'sort', columns: ['k'] };
  const compacted = await compactDirect(await compactDeps(moraine.project), parseCompactRequest(sort));
  expect(compacted.filesRemoved).toBe(1);
  const asSaved = [3n, 'as saved'];
  expect(await replayed('moved')).toEqual([3n, asSaved, asSaved, []]);
  await expire('sets.moved');
  expect(await replayed('moved')).toEqual([3n, asSaved, asSaved, []]);
});

test('a dataset whose rows are gone is not as saved, though it can be computed again; one in a file that was exchanged is found out', async () => {
  const window = { start: new Date('2001-01-01T00:00:00Z'), end: new Date('2001-01-01T00:00:00Z') };
  const saveAs = { name: 'gone', to: { table: 'sets.gone' } };
  await moraine.saveDataset({ features: ['values:w'], entities: { window }, saveAs });
  expect(await replayed('gone')).toMatchObject([2n, {}, {}, []]);
  const { catalog, identifier } = await moraine.project.resolveTable('sets.gone');
  await catalog.dropTable(identifier);
  expect(await replayed('gone')).toEqual([2n, [null, null], [2n, 'as saved'], ['stored']]);
  const [file, other] = [join(folder, 'three.parquet'), join(folder, 'two.parquet')];
  await save('exchanged', { file });
  await moraine.saveDataset({
    features: ['values'],
    entities: ENTITIES.slice(1),
    saveAs: { name: 'two', to: { file: other } },
  });
  copyFileSync(other, file);
  const two = [2n, digestOf(LATER.slice(1), COLUMNS)];
  expect(await replayed('exchanged')).toEqual([3n, two, two, ['stored', 'recomputed']]);
});

test('no rows at all are a dataset too', async () => {
  const record = await moraine.saveDataset({
    features: ['values:w'],
    entities: [],
    saveAs: { name: 'none', to: { table: 'sets.none' } },
  });
  expect(record.digest).toBe(digestOf([], '[["k","long"],["event_timestamp","timestamptz"],["w","string"]]'));
  expect(await moraine.replayDataset('none')).toMatchObject({ rows: 0n, matches: true });
});

test('rows that were committed without their record are recorded by saving again; another save leaves them alone', async () => {
  const forgetRecords = async () => {
    const { catalog } = await moraine.project.resolveTable('moraine.datasets');
    await catalog.dropTable({ namespace: ['moraine'], name: 'datasets' });
  };
  const first = await save('cut_short', { table: 'sets.cut_short' });
  await forgetRecords();
  const other = moraine.saveDataset({
    features: ['values'],
    entities: ENTITIES.slice(1),
    saveAs: { name: 'cut_short', to: { table: 'sets.cut_short' } },
  });
  const refusal = await failureOf(other);
  expect(refusal.code).toBe('TABLE_ALREADY_EXISTS');
  expect(refusal.message).toContain('made by another save');
  expect(await save('cut_short', { table: 'sets.cut_short' })).toEqual(first);
  expect((await moraine.datasets()).map(({ record }) => record.name)).toEqual(['cut_short']);
  const { metadata } = await moraine.project.loadTable('sets.cut_short');
  expect(metadata.snapshots).toHaveLength(1);
  expect(await moraine.replayDataset('cut_short')).toMatchObject({ rows: 3n, matches: true });
});
