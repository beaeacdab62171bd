/** Dropping tables, and which files go with them. */
import { existsSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { dropTable } from '../../../client/index.js';
import { MoraineError } from '../../../errors/index.js';
import { purgeTable } from '../../../maintenance/index.js';
import { maintenanceDeps, openProject } from '../../../project/index.js';
import { commitAppend, commitOverwrite } from '../../../tables/index.js';
import { failureOf } from '../../support/error-code.js';
import { dataFile } from '../../support/maintenance-lab.js';
import { SmallProject } from '../../support/small-project.js';

const NAME = 'demo.copies';
const COPIES = { namespace: ['demo'], name: 'copies' };

/** A project with a second table of three snapshots, of which one took files of another out. */
async function withCopies() {
  const small = await SmallProject.create();
  await small.append(10);
  const catalog = await small.project.catalog();
  const { schemas } = (await small.source()).metadata;
  await catalog.createTable(COPIES, { schema: schemas[0] ?? expect.unreachable() });
  const load = () => small.project.loadTable(NAME);
  const location = (await load()).metadata.location;
  const add = (name: string) => {
    writeFileSync(join(location, name), name);
    return dataFile(join(location, name));
  };
  await commitAppend(await load(), { files: [add('one.parquet')] });
  await commitOverwrite(await load(), { files: [add('two.parquet')], removeFiles: [join(location, 'one.parquet')] });
  await commitAppend(await load(), { files: [add('three.parquet')] });
  const files = (): readonly string[] =>
    existsSync(location)
      ? readdirSync(location, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map(({ name }) => name)
          .sort()
      : [];
  return { small, catalog, location, load, files };
}

test('a table that is dropped leaves its files, and can be registered again', async () => {
  const { small, catalog, load, files } = await withCopies();
  const [before, { metadataLocation, metadata }] = [files(), await load()];
  expect(await dropTable(small.project, NAME)).toBeNull();
  expect([await catalog.tableExists(COPIES), files()]).toEqual([false, before]);
  expect((await catalog.registerTable(COPIES, metadataLocation)).metadata).toEqual(metadata);
});

test('a table that is purged takes the files of all its snapshots with it, and nothing else', async () => {
  const { small, catalog, location, files } = await withCopies();
  writeFileSync(join(location, 'of-somebody.parquet'), '');
  const count = files().length - 1;
  // Three data files, a manifest and a list for each snapshot at least, and four metadata files.
  expect(count).toBeGreaterThanOrEqual(3 + 3 + 3 + 4);
  expect(await dropTable(small.project, NAME, { purge: true })).toEqual({ deleted: count, kept: 0 });
  expect([await catalog.tableExists(COPIES), files()]).toEqual([false, ['of-somebody.parquet']]);
  expect(await small.recomputed()).toHaveLength(10);
});

test('a file outside the folders of a purged table stays, though its metadata names it', async () => {
  const { small, load, files } = await withCopies();
  const foreign = join(small.folder, 'warehouse', 'foreign.parquet');
  writeFileSync(foreign, '');
  const { metadata } = await small.source();
  const [theirs] = readdirSync(dirname((await small.source()).metadataLocation));
  const other = join(metadata.location, 'metadata', theirs ?? '');
  await commitAppend(await load(), {
    files: [...[foreign, other, '/etc/passwd', 's3://lake/x'].map((filePath) => ({ ...dataFile(foreign), filePath }))],
  });
  const count = files().length;
  expect(await dropTable(small.project, NAME, { purge: true })).toEqual({ deleted: count, kept: 4 });
  expect([existsSync(foreign), existsSync(other), files()]).toEqual([true, true, []]);
});

test('a file of a purged table that another table has, too, stays', async () => {
  const { small, catalog, location, files } = await withCopies();
  const adopted = join(location, 'two.parquet');
  const source = await small.source();
  const identifier = { namespace: ['demo'], name: 'adopting' };
  await catalog.createTable(identifier, { schema: source.metadata.schemas[0] ?? expect.unreachable() });
  // As Spark's add_files does it: the file stays where it is.
  await commitAppend(await small.project.loadTable('demo.adopting'), { files: [dataFile(adopted)] });
  const count = files().length;
  expect(await dropTable(small.project, NAME, { purge: true })).toEqual({ deleted: count - 1, kept: 1 });
  expect([await catalog.tableExists(COPIES), files()]).toEqual([false, ['two.parquet']]);
});

test('a table that cannot be read keeps others from being purged, and its name can be dropped', async () => {
  const { small, catalog, files } = await withCopies();
  const other = await catalog.createTable(
    { namespace: ['demo'], name: 'lost' },
    { schema: (await small.source()).metadata.schemas[0] ?? expect.unreachable() },
  );
  const count = files().length;
  unlinkSync(other.metadataLocation);
  const failure = await failureOf(dropTable(small.project, NAME, { purge: true }));
  expect(failure.code).toBe('FILE_NOT_FOUND');
  expect(failure.message).toMatch(
    /^Nothing is deleted while table (\S+) cannot be read: .*Restore what it lacks; or, if nobody needs it, drop its name, which leaves its files: moraine table drop \1\.$/,
  );
  expect([await catalog.tableExists(COPIES), files().length]).toEqual([true, count]);
  const [, name = ''] = /while table (\S+) cannot/.exec(failure.message) ?? [];
  expect(await dropTable(small.project, name)).toBeNull();
  expect(await dropTable(small.project, NAME, { purge: true })).toMatchObject({ kept: 0 });
});

test('nor is one purged while the manifests of another are missing', async () => {
  const { small, catalog } = await withCopies();
  const source = await small.source();
  const [snapshot] = source.metadata.snapshots;
  unlinkSync(snapshot?.manifestList ?? '');
  const failure = await failureOf(dropTable(small.project, NAME, { purge: true }));
  expect(failure.message).toMatch(
    /^Nothing is deleted while it is not known which files table \S+ has: .* drop its name, which leaves its files: moraine table drop \S+\.$/,
  );
  expect(await catalog.tableExists(COPIES)).toBe(true);
});

test.each([
  ['one of others in Glue', 'LOCATION_REFUSED', 'glue', false],
  ['one that another machine made for this catalog', 'LOCATION_REFUSED', 'sql', true],
  ['one whose metadata is damaged', 'METADATA_CORRUPT', 'glue', true],
  ['one while the store is away', 'STORAGE_UNAVAILABLE', 'sql', false],
] as const)(
  'the name goes of a table that cannot be loaded, if that will stay so: %s',
  async (_what, code, type, goes) => {
    const { small, catalog } = await withCopies();
    const { config } = small.project;
    const catalogs = new Map([
      ['local', { ...config.catalogs.get('local'), type }],
    ]) as unknown as typeof config.catalogs;
    const loadTable = () => Promise.reject(new MoraineError(code, 'It cannot be loaded.'));
    const dropped = dropTable({ ...small.project, config: { ...config, catalogs }, loadTable }, NAME);
    expect(await dropped.catch((error: unknown) => (error as MoraineError).code)).toBe(goes ? null : code);
    expect(await catalog.tableExists(COPIES)).toBe(!goes);
  },
);

test('to drop a name is no advice where trying again helps, or where commands have no name for the table', async () => {
  const { small, load } = await withCopies();
  const table = await load();
  const { project } = small;
  const source = await small.source();
  const io = new Proxy(source.io, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return name === 'read'
        ? () => Promise.reject(new MoraineError('STORAGE_UNAVAILABLE', 'Slow down.'))
        : (member as () => unknown).bind(target);
    },
  });
  const away = {
    ...maintenanceDeps(project),
    tables: async function* () {
      yield { ...source, io };
    },
  };
  const throttled = await failureOf(purgeTable(away, table));
  expect([throttled.code, throttled.message]).toEqual([
    'STORAGE_UNAVAILABLE',
    expect.stringMatching(/ cannot be read: Slow down\.$/),
  ]);

  unlinkSync(source.metadataLocation);
  const sibling = await openProject({
    cwd: small.folder,
    config: { catalogs: { other: { uri: 'catalog.db', warehouse: 'warehouse' } } },
  });
  onTestFinished(() => sibling.close());
  const other = await sibling.catalog();
  await other.createNamespace(['demo']);
  const mine = await other.createTable(
    { namespace: ['demo'], name: 'mine' },
    { schema: table.metadata.schemas[0] ?? expect.unreachable() },
  );
  await expect(sibling.loadTable('demo.mine')).resolves.toMatchObject({ metadataLocation: mine.metadataLocation });
  const { code, message } = await failureOf(dropTable(sibling, 'demo.mine', { purge: true }));
  expect([code, message]).toEqual([
    'FILE_NOT_FOUND',
    expect.stringContaining('while table local/demo.readings cannot'),
  ]);
  expect(message).not.toContain('moraine table drop');
});

test('a table whose folder another name claims, or whose files must stay, is not purged', async () => {
  const { small, catalog, load, files } = await withCopies();
  await catalog.registerTable({ namespace: ['demo'], name: 'twin' }, (await load()).metadataLocation);
  const before = files();
  const shared = await failureOf(dropTable(small.project, NAME, { purge: true }));
  expect([shared.code, shared.message]).toEqual(['FOLDER_SHARED', expect.stringContaining('demo.twin')]);
  await catalog.dropTable({ namespace: ['demo'], name: 'twin' });
  await catalog.commitTable(COPIES, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: new Map([['gc.enabled', 'false']]) }],
  });
  expect((await failureOf(dropTable(small.project, NAME, { purge: true }))).code).toBe('INVALID_ARGUMENT');
  expect(await catalog.tableExists(COPIES)).toBe(true);
  for (const name of before) expect(files()).toContain(name);
});

test('no file is deleted where it is unknown whether the name is gone', async () => {
  const { small, load, files } = await withCopies();
  const table = await load();
  const catalog = Object.create(table.catalog ?? expect.unreachable(), {
    purgeTable: { value: undefined },
    dropTable: { value: () => Promise.reject(new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.')) },
  }) as NonNullable<typeof table.catalog>;
  const before = files();
  const deps = { ...maintenanceDeps(small.project), tables: async function* () {} };
  expect((await failureOf(purgeTable(deps, { ...table, catalog }))).code).toBe('COMMIT_STATE_UNKNOWN');
  expect(files()).toEqual(before);
});

test('the registry, the source of a view and its online table are not dropped, and the message says what uses them', async () => {
  const small = await SmallProject.create();
  const { view, project } = small;
  for (const [name, use] of [
    ['moraine.registry', 'the registry of definitions'],
    ['local/demo.readings', `the source of feature view ${view}`],
    [`moraine_online.${view}`, `the online table of feature view ${view}`],
  ] as const) {
    const refused = await failureOf(dropTable(project, name));
    expect([refused.code, refused.message]).toEqual(['INVALID_ARGUMENT', expect.stringContaining(use)]);
  }
  expect((await failureOf(dropTable(project, 'demo.none'))).code).toBe('TABLE_NOT_FOUND');
});
