/** Tables that move from one SQL catalog and folder to another: every row at every snapshot, odd names, files from elsewhere, what is refused. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { parseSchema, tableMetadataToJson } from '../../../iceberg/index.js';
import { createMoraine, type Moraine } from '../../../index.js';
import { loadTable, type Table } from '../../../tables/index.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { filesBelow, filesWith, openTwoCatalogs } from '../../support/moved-table.js';
import { scanRows } from '../../support/scan-rows.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const ODD = "odd = %41 #?;'*[x]";
const IDENTIFIER = { namespace: ['ns'], name: 't' };
const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'part', required: false, type: 'string' },
  ],
});

let folder: string;
let moraine: Moraine;

beforeEach(async () => {
  folder = temporaryFolder();
  moraine = await openTwoCatalogs(folder);
  const old = await moraine.project.catalog('old');
  await old.createNamespace(['ns']);
});

const load = async (catalog: 'old' | 'new'): Promise<Table> =>
  loadTable(await moraine.project.catalog(catalog), moraine.project.io, IDENTIFIER);

async function create(location?: string, properties: Readonly<Record<string, string>> = {}): Promise<Table> {
  const old = await moraine.project.catalog('old');
  await old.createTable(IDENTIFIER, {
    schema: SCHEMA,
    properties: new Map(Object.entries(properties)),
    ...(location === undefined ? {} : { location }),
  });
  return await load('old');
}

async function append(ids: readonly number[], name = 'old/ns.t'): Promise<void> {
  const file = join(folder, 'rows.csv');
  writeFileSync(file, `id,part\n${ids.map((id) => `${id},p${id % 2}\n`).join('')}`);
  await moraine.appendFile(name, file);
}

/** The rows at every snapshot, as files of the table's own folder hold them. */
async function history(catalog: 'old' | 'new'): Promise<Record<string, readonly string[]>> {
  const { metadata, metadataLocation } = await load(catalog);
  const rows: Record<string, readonly string[]> = {};
  for (const { snapshotId } of metadata.snapshots) {
    const lines = await scanRows(metadataLocation, { snapshot: String(snapshotId), root: folder });
    rows[String(snapshotId)] = lines.sort();
  }
  return rows;
}

const move = (options: Omit<Parameters<Moraine['moveTable']>[1], 'to'> = {}) =>
  moraine.moveTable('old/ns.t', { to: 'new', ...options });

describe('a moved table', () => {
  test.each([2, 3] as const)(
    'has every row at every snapshot, under odd names, with files from outside its folder (version %i)',
    async (version) => {
      const elsewhere = join(folder, 'old/elsewhere');
      await create(join(folder, `old/${ODD}`), { note: `file:${folder}/old/${ODD}/notes.txt` });
      await append([1, 2, 3, 4]);
      const old = await moraine.project.catalog('old');
      const updates = new Map([['write.data.path', elsewhere]]);
      await old.commitTable(IDENTIFIER, { requirements: [], updates: [{ action: 'set-properties', updates }] });
      await append([5, 6, 7, 8]);
      if (version === 3) await moraine.upgradeTable('old/ns.t', 3);
      await moraine.deleteRows('old/ns.t', 'id = 2 OR id = 7');
      await moraine.deleteRows('old/ns.t', 'id = 3');
      await append([9]);
      const before = await history('old');
      expect(Object.values(before).map((rows) => rows.length)).toEqual([4, 8, 6, 5, 6]);

      const target = join(folder, `new/${ODD}`);
      await move({ location: `${target}/` });

      const { metadata } = await load('new');
      expect(metadata.location).toBe(target);
      expect(metadata.properties.get('note')).toBe(`${target}/notes.txt`);
      expect(metadata.properties.has('write.data.path')).toBe(false);
      renameSync(join(folder, 'old'), join(folder, 'gone'));
      expect(await history('new')).toEqual(before);
      expect(filesWith(join(folder, 'new'), `${folder}/old`)).toEqual([]);
      await append([10], 'new/ns.t');
      await moraine.deleteRows('new/ns.t', 'id = 1');
      const last = Object.values(await history('new')).at(-1) ?? [];
      expect(last.map((row) => (JSON.parse(row) as { id: number }).id).sort((a, b) => a - b)).toEqual([
        4, 5, 6, 8, 9, 10,
      ]);
    },
  );

  test('has its statistics, its metadata log and its compressed metadata', async () => {
    await create(undefined, { 'write.metadata.compression-codec': 'gzip' });
    await append([1]);
    await append([2]);
    const { metadata } = await load('old');
    const file = join(metadata.location, 'metadata/stats.puffin');
    writeFileSync(file, 'PFA1 some statistics');
    const entry = {
      'snapshot-id': metadata.currentSnapshotId,
      'statistics-path': `file://${file}`,
      'file-size-in-bytes': 20,
    };
    const withStatistics = { ...metadata, otherFields: new Map([...metadata.otherFields, ['statistics', [entry]]]) };
    const made = join(metadata.location, 'metadata/00009-made.metadata.json');
    writeFileSync(made, tableMetadataToJson(withStatistics));
    const old = await moraine.project.catalog('old');
    await old.dropTable(IDENTIFIER);
    await old.registerTable(IDENTIFIER, made);

    await move();
    const moved = await load('new');
    const path = join(moved.metadata.location, 'metadata/stats.puffin');
    expect(moved.metadata.otherFields.get('statistics')).toEqual([{ ...entry, 'statistics-path': path }]);
    expect(readFileSync(path, 'utf8')).toBe('PFA1 some statistics');
    // The mark was the last commit of the old name: its file, and those before it.
    expect(moved.metadata.metadataLog.map(({ metadataFile }) => existsSync(metadataFile))).toEqual([true, true, true]);
    expect(moved.metadataLocation).toMatch(/\.gz\.metadata\.json$/);
    expect(filesWith(join(folder, 'new'), `${folder}/old`)).toEqual([]);
  });

  test('of one that has no rows, and of one whose files lie behind a symbolic link', async () => {
    mkdirSync(join(folder, 'old/real'), { recursive: true });
    symlinkSync(join(folder, 'old/real'), join(folder, 'old/linked'));
    await create(join(folder, 'old/linked/t'));
    await move();
    expect((await load('new')).metadata.snapshots).toEqual([]);
    const renamed = { namespace: ['ns'], name: 'empty' };
    await (await moraine.project.catalog('new')).renameTable(IDENTIFIER, renamed);
    await (await moraine.project.catalog('old')).dropTable(IDENTIFIER);

    rmSync(join(folder, 'old/real/t'), { recursive: true });
    await create(join(folder, 'old/linked/t'));
    await append([1, 2]);
    const before = await history('old');
    await move({ location: join(folder, 'new/second') });
    expect(await history('new')).toEqual(before);
  });

  test('the old name is dropped when asked for, and its files stay', async () => {
    await create();
    await append([1]);
    const files = filesBelow(join(folder, 'old'));
    expect(await move({ dropOld: true })).toMatchObject({
      isOldDropped: true,
      formerLocation: join(folder, 'old/ns/t'),
    });
    expect(await rejectionCode(load('old'))).toBe('TABLE_NOT_FOUND');
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  test('moves back once the old name is dropped, and not before', async () => {
    await create();
    await append([1]);
    await move();
    await append([2], 'new/ns.t');
    const back = () => moraine.moveTable('new/ns.t', { to: 'old', location: join(folder, 'old/back') });
    expect(await failureOf(back())).toMatchObject({
      code: 'TABLE_ALREADY_EXISTS',
      message:
        'Table old/ns.t exists already: it is the same table, which has moved away from there. Drop or rename it first.',
    });
    await (await moraine.project.catalog('old')).dropTable(IDENTIFIER);
    const before = await history('new');
    await back();
    expect(await history('old')).toEqual(before);
  });
});

describe('a move that is refused', () => {
  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['an unknown table', () => moraine.moveTable('old/ns.u', { to: 'new' }), 'TABLE_NOT_FOUND', /ns\.u/],
    ['an unknown catalog', () => moraine.moveTable('old/ns.t', { to: 'r2' }), 'INVALID_ARGUMENT', /r2/],
    ['its own catalog', () => moraine.moveTable('old/ns.t', { to: 'old' }), 'INVALID_ARGUMENT', /old\/ns\.t/],
    ['a folder outside the roots', () => move({ location: '/elsewhere/t' }), 'LOCATION_REFUSED', /\/elsewhere\/t/],
    [
      'a folder in its own',
      () => move({ location: join(folder, 'old/ns/t/moved') }),
      'FOLDER_SHARED',
      /of table old\/ns\.t\. Choose/,
    ],
    [
      'a folder around its own',
      () => move({ location: join(folder, 'old/ns') }),
      'FOLDER_SHARED',
      /of table old\/ns\.t\. Choose/,
    ],
    ['a storage root', () => move({ location: join(folder, 'new') }), 'FOLDER_SHARED', /a storage root/],
  ])('%s', async (_, attempt, code, message) => {
    await create();
    await append([1]);
    expect(await failureOf(attempt())).toMatchObject({ code, message: expect.stringMatching(message) as string });
    await append([2]);
    expect(filesBelow(join(folder, 'old')).filter((file) => file.includes('/moved/'))).toEqual([]);
  });

  test('to a catalog that is only read, through Trino', async () => {
    await create();
    const config = {
      catalogs: {
        old: { uri: 'old.db', warehouse: 'old' },
        trino: { type: 'trino', uri: 'http://127.0.0.1:1/lake' } as const,
      },
    };
    const project = await createMoraine({ cwd: folder, config });
    onTestFinished(() => project.close());
    const failure = await failureOf(project.moveTable('old/ns.t', { to: 'trino' }));
    expect([failure.code, failure.message]).toEqual([
      'UNSUPPORTED_FEATURE',
      'Table old/ns.t cannot move from or to catalog trino, which is read through Trino and cannot be changed: a move marks the old name and registers the new one. Configure the catalog that Trino itself uses (REST, Glue, Hive, PostgreSQL), and name that.',
    ]);
  });

  test('a name that another table has, and a folder with the metadata of another table', async () => {
    await create();
    await append([1]);
    const target = await moraine.project.catalog('new');
    await target.createNamespace(['ns']);
    await target.createTable(IDENTIFIER, { schema: SCHEMA });
    expect(await failureOf(move())).toMatchObject({
      code: 'TABLE_ALREADY_EXISTS',
      message: 'Table new/ns.t exists already: it is another table. Drop or rename it first.',
    });
    await target.dropTable(IDENTIFIER);
    expect(await failureOf(move())).toMatchObject({
      code: 'FILE_ALREADY_EXISTS',
      message: expect.stringMatching(/is of another table\. Choose another folder with --location\.$/) as string,
    });
    await append([2]);
    await move({ location: join(folder, 'new/free') });
  });

  test('a data file that is missing is named, and the old name stays as it was', async () => {
    await create();
    await append([1]);
    const lost = filesBelow(join(folder, 'old/ns/t/data'))[0] ?? '';
    rmSync(lost);
    expect(await failureOf(move())).toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining(lost) as string,
    });
    await append([2]);
  });

  test('a file of that name in the new folder is not overwritten', async () => {
    await create();
    await append([1]);
    const [file = ''] = filesBelow(join(folder, 'old/ns/t/data'));
    const taken = file.replace('/old/', '/new/');
    mkdirSync(dirname(taken), { recursive: true });
    writeFileSync(taken, 'mine');
    expect(await failureOf(move())).toMatchObject({
      code: 'FILE_ALREADY_EXISTS',
      message: expect.stringContaining(taken) as string,
    });
    expect(readFileSync(taken, 'utf8')).toBe('mine');
    await append([2]);
  });

  test('a move back to a folder in which the table has had commits since', async () => {
    await create();
    await append([1]);
    await move();
    await append([2], 'new/ns.t');
    await (await moraine.project.catalog('new')).dropTable(IDENTIFIER);
    expect(await failureOf(move())).toMatchObject({
      code: 'FILE_ALREADY_EXISTS',
      message: expect.stringMatching(/was committed there after an earlier move\..*moraine table register/) as string,
    });
  });

  test('another place than the one that the move was begun to', async () => {
    await create();
    await append([1]);
    await move();
    await (await moraine.project.catalog('new')).dropTable(IDENTIFIER);
    expect(await failureOf(move({ location: join(folder, 'new/other') }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`was begun to "${folder}/new/ns/t"`) as string,
    });
    await move();
  });

  test('a folder that cannot be made, since a file has its name', async () => {
    await create();
    await append([1]);
    writeFileSync(join(folder, 'new/file'), 'in the way');
    expect(await failureOf(move({ location: join(folder, 'new/file/t') }))).toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining(`"${folder}/new/file/t`) as string,
    });
    await append([2]);
  });
});

test('runs, deletes, upgrades and maintenance at the old name are refused with the new one', async () => {
  await create();
  await append([1, 2]);
  await move();
  const message =
    'Table old/ns.t is not written: it has moved to new/ns.t, or is about to. Write there. If the move was cut short, finish it: moraine table move old/ns.t --to new.';
  for (const write of [
    () => append([3]),
    () => moraine.deleteRows('old/ns.t', 'id = 1'),
    () => moraine.upgradeTable('old/ns.t', 3),
  ]) {
    expect(await failureOf(write())).toMatchObject({ code: 'TABLE_MOVED', message });
  }
  expect(await history('old')).toEqual(await history('new'));
});
