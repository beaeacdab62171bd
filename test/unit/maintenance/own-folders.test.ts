/** Whose files a table may have deleted: metadata may name any folder and any file, and is believed only where nobody else is concerned. */
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openSqlCatalog } from '../../../catalogs/index.js';
import { tableMetadataToJson } from '../../../iceberg/index.js';
import { createMoraine } from '../../../index.js';
import { stageExpiry, sweepOrphans } from '../../../maintenance/index.js';
import { maintenanceDeps, openProject, type Project } from '../../../project/index.js';
import { LocalFileIO } from '../../../storage/index.js';
import { commitAppend, commitOverwrite, loadTable } from '../../../tables/index.js';
import { failureOf } from '../../support/error-code.js';
import { foretold, maintainOnce } from '../../support/maintain-once.js';
import { DAY_MS, dataFile, MaintenanceLab } from '../../support/maintenance-lab.js';
import { SmallProject } from '../../support/small-project.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const SCHEMA = { schemaId: 0, identifierFieldIds: [], fields: [] };
const MONTH_AGO = new Date(Date.now() - 30 * DAY_MS);
/** Whatever nothing reaches goes, however young. */
const ALL = { expiry: { olderThanMs: 0n }, orphans: { olderThanMs: 0n, allowYoung: true } };

/** A project in which tables may lie anywhere: the folder of the project is the storage root. */
async function openWorld(): Promise<{ readonly folder: string; readonly project: Project }> {
  const folder = join(temporaryFolder(), 'project');
  mkdirSync(join(folder, '.git'), { recursive: true });
  writeFileSync(join(folder, '.git/HEAD'), 'ref: refs/heads/main');
  writeFileSync(
    join(folder, 'moraine.yaml'),
    'catalogs:\n  local: { uri: db/catalog.db, warehouse: warehouse }\nstorage: { roots: [.] }\nengine: { memoryLimit: 200MB }\n',
  );
  const project = await openProject({ cwd: folder });
  onTestFinished(() => project.close());
  const catalog = await project.catalog();
  await catalog.createNamespace(['ns']);
  await catalog.createTable({ namespace: ['ns'], name: 'victim' }, { schema: SCHEMA });
  return { folder, project };
}

/** Registers metadata that names folders as it likes, as `moraine table register` does. */
async function register(project: Project, folder: string, location: string, properties = {}): Promise<void> {
  const catalog = await project.catalog();
  const identifier = { namespace: ['ns'], name: 'made' };
  const { metadata } = await catalog.createTable(identifier, { schema: SCHEMA });
  await catalog.dropTable(identifier);
  const path = join(folder, 'download/00000-made.metadata.json');
  const text = tableMetadataToJson({ ...metadata, location, properties: new Map(Object.entries(properties)) });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  await catalog.registerTable({ namespace: ['ns'], name: 'hostile' }, path);
}

const GREEDY: readonly (readonly [location: string, named: string, properties?: Readonly<Record<string, string>>])[] = [
  ['{}', 'a storage root'],
  ['file://{}/warehouse/..', 'a storage root'],
  ['{}/warehouse', 'the warehouse of catalog local'],
  ['{}/warehouse/', 'the warehouse of catalog local'],
  ['{}/db', 'the database of catalog local'],
  ['{}/warehouse/ns', 'a folder of table local/ns.victim'],
  ['file:{}/warehouse/ns/victim', 'a folder of table local/ns.victim'],
  ['{}/warehouse/ns/./victim/data', 'lies in'],
  ['{}/alias', 'a storage root'],
  ['{}/ok', 'a folder of table local/ns.victim', { 'write.data.path': '{}/warehouse/ns' }],
  ['{}/ok', 'a storage root', { 'write.metadata.path': '{}' }],
];

test('faults 80: a table whose folders hold a root, the project or another table is not cleaned up, and the message names both', async () => {
  const { folder, project } = await openWorld();
  symlinkSync('.', join(folder, 'alias'));
  const catalog = await project.catalog();
  const deps = maintenanceDeps(project);
  for (const [location, named, properties = {}] of GREEDY) {
    const inFolder = (text: string) => text.replace('{}', folder);
    const filled = Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, inFolder(value)]));
    await register(project, folder, inFolder(location), filled);
    for (const clean of [
      () => sweepOrphans(deps, 'ns.hostile', ALL.orphans),
      () => stageExpiry(deps, 'ns.hostile', ALL.expiry),
      () => foretold(deps, 'ns.hostile', ALL),
    ]) {
      const { code, message } = await failureOf(clean());
      expect([code, message], location).toEqual(['FOLDER_SHARED', expect.stringContaining('local/ns.hostile')]);
      expect(message, location).toContain(named);
    }
    if (named.includes('table')) {
      const { message } = await failureOf(sweepOrphans(deps, 'ns.victim', ALL.orphans));
      expect(message, location).toContain('local/ns.hostile');
    }
    await catalog.dropTable({ namespace: ['ns'], name: 'hostile' });
  }
  expect(['moraine.yaml', '.git/HEAD', 'db/catalog.db'].map((path) => existsSync(join(folder, path)))).toEqual([
    true,
    true,
    true,
  ]);
  expect((await maintainOnce(deps, 'ns.victim', ALL)).orphans).toBe(0);
});

test('faults 80: a table whose folder holds what the project is made of is not cleaned up, wherever that lies', async () => {
  const root = temporaryFolder();
  for (const name of ['project/.git/refs', 'shared', 'definitions', 'warehouse']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  writeFileSync(
    join(root, 'shared/moraine.yaml'),
    `catalogs: { local: { uri: ../catalog.db, warehouse: ../warehouse } }
storage: { roots: [..] }
engine: { memoryLimit: 200MB, tempDirectory: ../scratch/tmp }
stateFolder: ../state
definitions: [../definitions/features.yaml]
`,
  );
  symlinkSync('../shared/moraine.yaml', join(root, 'project/moraine.yaml'));
  const project = await openProject({ cwd: join(root, 'project') });
  onTestFinished(() => project.close());
  const catalog = await project.catalog();
  await catalog.createNamespace(['ns']);
  for (const [folder, named] of [
    ['project', 'the folder of the project'],
    ['project/.git/refs', 'the repository of the project'],
    ['shared', 'the configuration'],
    ['state', 'the folder of local state'],
    ['scratch', 'the folder of temporary files'],
    ['definitions', 'definitions'],
  ] as const) {
    await register(project, root, join(root, folder));
    const { code, message } = await failureOf(sweepOrphans(maintenanceDeps(project), 'ns.hostile', ALL.orphans));
    expect([code, message], folder).toEqual(['FOLDER_SHARED', expect.stringContaining(named)]);
    await catalog.dropTable({ namespace: ['ns'], name: 'hostile' });
  }
  // Its neighbours only begin alike.
  await register(project, root, join(root, 'def'));
  expect(await sweepOrphans(maintenanceDeps(project), 'ns.hostile', ALL.orphans)).toMatchObject({ deletedFiles: 0 });
});

test('faults 80: tables of another catalog name in the same database count, those of another database do not', async () => {
  const { folder, project } = await openWorld();
  const io = project.io;
  const deps = maintenanceDeps(project);
  const { location } = (await project.loadTable('ns.victim')).metadata;
  const open = async (name: string, uri: string, theirIo = io, warehouse = join(folder, 'warehouse')) => {
    const catalog = await openSqlCatalog({ name, uri: join(folder, uri), warehouse, io: theirIo });
    await catalog.createNamespace(['ns']);
    onTestFinished(() => catalog.close());
    return catalog;
  };
  const identifier = { namespace: ['ns'], name: 'theirs' };
  const far = await open('local', 'far.db');
  await far.createTable(identifier, { schema: SCHEMA, location });
  await sweepOrphans(deps, 'ns.victim', ALL.orphans).catch(() => undefined);
  const near = await open('spark', 'db/catalog.db');
  const theirs = await near.createTable(identifier, { schema: SCHEMA, location: `${location}/theirs` });
  const { code, message } = await failureOf(sweepOrphans(deps, 'ns.victim', ALL.orphans));
  expect([code, message]).toEqual(['FOLDER_SHARED', expect.stringContaining('spark/ns.theirs')]);
  expect(existsSync(theirs.metadataLocation)).toBe(true);
  await near.dropTable(identifier);
  // One of the same name is another table, too.
  await near.createTable({ namespace: ['ns'], name: 'victim' }, { schema: SCHEMA, location: `${location}/inner` });
  expect((await failureOf(sweepOrphans(deps, 'ns.victim', ALL.orphans))).message).toContain('spark/ns.victim');
  await near.dropTable({ namespace: ['ns'], name: 'victim' });
  // A table beyond the storage roots cannot be opened, and its files cannot be among those below them.
  const outside = join(folder, '../outside');
  mkdirSync(outside);
  const beyond = await open('beyond', 'db/catalog.db', new LocalFileIO({ roots: [outside] }), outside);
  await beyond.createTable(identifier, { schema: SCHEMA });
  expect(await sweepOrphans(deps, 'ns.victim', {})).toMatchObject({ deletedFiles: 0 });
  // In a folder of its own it has a file of this table.
  const taken = join(location, 'taken.parquet');
  writeFileSync(taken, 'x');
  await near.createTable(identifier, { schema: SCHEMA, location: join(folder, 'their-own') });
  await commitAppend(await loadTable(near, io, identifier), { files: [dataFile(taken)] });
  expect((await foretold(deps, 'ns.victim', ALL)).get(taken)?.reason).toBe('table spark/ns.theirs has it');
  await maintainOnce(deps, 'ns.victim', ALL);
  expect(existsSync(taken)).toBe(true);
});

test('faults 80: a file outside the folders of the table that an expired snapshot names stays, until somebody says that it may go', async () => {
  const lab = await MaintenanceLab.open();
  lab.daysAgo = 20;
  const table = await lab.create('ns.t');
  const neighbour = join(lab.folder, 'warehouse/neighbour/export.parquet');
  mkdirSync(dirname(neighbour), { recursive: true });
  writeFileSync(neighbour, "somebody else's");
  await commitAppend(table, { files: [dataFile(neighbour)] });
  lab.daysAgo = 10;
  await commitOverwrite(await lab.load('ns.t'), { files: [], removeFiles: [neighbour] });
  lab.daysAgo = 0;
  await lab.append('ns.t');
  const said = async (deleteOutside: boolean) => {
    const verdict = (await foretold(lab.deps, 'ns.t', { expiry: { deleteOutside } })).get(neighbour);
    return `${verdict?.action}: ${verdict?.reason}`;
  };
  expect(await said(false)).toMatch(
    /^keep: only expired snapshots reach it: live data file of snapshot \d+; but it lies outside the folders/,
  );
  expect(await said(true)).toMatch(/^delete: only expired snapshots reach it/);
  const { planLocation } = await stageExpiry(lab.deps, 'ns.t', {});
  expect(planLocation).not.toBeNull();
  await maintainOnce(lab.deps, 'ns.t');
  expect(readFileSync(neighbour, 'utf8')).toBe("somebody else's");
});

test.each([
  ['outside', 'where the request says so', {}, { deleteOutside: true }],
  ['in the folder of write.data.path', "as the table's own", { 'write.data.path': 'warehouse/imported' }, {}],
])('a file %s goes with its expired snapshot %s', async (_where, _when, properties, expiry) => {
  const lab = await MaintenanceLab.open();
  lab.daysAgo = 20;
  await lab.create('ns.t');
  const updates = new Map(Object.entries(properties).map(([name, path]) => [name, join(lab.folder, path)]));
  await lab.update('ns.t', { action: 'set-properties', updates });
  const own = join(lab.folder, 'warehouse/imported/a.parquet');
  mkdirSync(dirname(own));
  writeFileSync(own, 'x');
  await commitAppend(await lab.load('ns.t'), { files: [dataFile(own)] });
  lab.daysAgo = 10;
  await commitOverwrite(await lab.load('ns.t'), { files: [], removeFiles: [own] });
  lab.daysAgo = 0;
  await lab.append('ns.t');
  await maintainOnce(lab.deps, 'ns.t', { expiry });
  expect(existsSync(own)).toBe(false);
});

test('faults 80: a file of a saved dataset in the folder of a table stays, whatever its age', async () => {
  const small = await SmallProject.create();
  await small.append(10);
  const { location } = (await small.source()).metadata;
  const moraine = await createMoraine({ cwd: small.folder, fileFolders: [small.folder] });
  onTestFinished(() => moraine.close());
  const file = join(location, 'data/labels.parquet');
  const orphan = join(location, 'data/orphan.parquet');
  writeFileSync(orphan, 'x');
  const entities = [{ sensor: 1, event_timestamp: new Date(60_000) }];
  await moraine.saveDataset({ features: [small.view], entities, saveAs: { name: 'labels', to: { file } } });
  const deps = maintenanceDeps(small.project);
  await setTimeout(5);
  expect((await foretold(deps, small.table, ALL)).get(file)).toMatchObject({
    action: 'keep',
    reason: 'dataset labels is in it',
  });
  await maintainOnce(deps, small.table, ALL);
  expect([existsSync(file), existsSync(orphan)]).toEqual([true, false]);
});

test('faults 80: an orphan that was copied with an old modification time is as young as its copy', async () => {
  const { project } = await openWorld();
  const { location } = (await project.loadTable('ns.victim')).metadata;
  const copied = join(location, 'data/copied.parquet');
  const moved = join(location, 'data/moved.parquet');
  mkdirSync(dirname(copied), { recursive: true });
  for (const path of [copied, `${moved}.part`]) {
    writeFileSync(path, 'x');
    utimesSync(path, MONTH_AGO, MONTH_AGO);
  }
  renameSync(`${moved}.part`, moved);
  const deps = maintenanceDeps(project);
  expect((await sweepOrphans(deps, 'ns.victim', {})).deletedFiles).toBe(0);
  expect((await foretold(deps, 'ns.victim')).get(copied)?.reason).toMatch(/young/);
  expect([existsSync(copied), existsSync(moved)]).toEqual([true, true]);
  // Neither what was moved here after the sweep's present, though it was made before, nor what says to be of tomorrow.
  const late = join(location, 'data/late.parquet');
  const tomorrow = join(location, 'data/tomorrow.parquet');
  writeFileSync(`${late}.part`, 'x');
  writeFileSync(tomorrow, 'x');
  utimesSync(`${late}.part`, MONTH_AGO, MONTH_AGO);
  utimesSync(tomorrow, new Date(Date.now() + DAY_MS), new Date(Date.now() + DAY_MS));
  await setTimeout(20);
  const nowMs = BigInt(Date.now());
  await setTimeout(20);
  renameSync(`${late}.part`, late);
  await sweepOrphans({ ...deps, nowMs: () => nowMs }, 'ns.victim', ALL.orphans);
  expect([copied, moved, late, tomorrow].map((path) => existsSync(path))).toEqual([false, false, true, true]);
});

test('faults 80: metadata files that leave the log are deleted only if they are of this table and nobody is at them', async () => {
  const { folder, project } = await openWorld();
  const catalog = await project.catalog();
  const victim = await project.loadTable('ns.victim');
  const [named, config] = [victim.metadataLocation, join(folder, 'moraine.yaml')];
  const properties = {
    'write.metadata.previous-versions-max': '1',
    'write.metadata.delete-after-commit.enabled': 'true',
    'write.metadata.path': dirname(named),
  };
  await register(project, folder, join(folder, 'elsewhere'), properties);
  const hostile = { namespace: ['ns'], name: 'hostile' };
  const loaded = await catalog.loadTable(hostile);
  // An older file of the victim, which nobody is at, and one of this very table that somebody keeps elsewhere.
  const older = join(dirname(named), '00000-older.metadata.json');
  writeFileSync(older, tableMetadataToJson(victim.metadata));
  const backup = join(folder, 'backup/00000-hostile.metadata.json');
  mkdirSync(dirname(backup));
  writeFileSync(backup, tableMetadataToJson(loaded.metadata));
  const others = [config, named, older, backup];
  const metadataLog = others.map((metadataFile) => ({ metadataFile, timestampMs: 0n }));
  await catalog.dropTable(hostile);
  const path = join(folder, 'download/00001-log.metadata.json');
  writeFileSync(path, tableMetadataToJson({ ...loaded.metadata, metadataLog }));
  await catalog.registerTable(hostile, path);
  // The same table under a second name, too: its log names the file that the first one is at.
  const twin = { namespace: ['ns'], name: 'twin' };
  await catalog.registerTable(twin, named);
  for (const identifier of [hostile, twin]) {
    for (const n of ['1', '2', '3']) {
      const updates = new Map([...Object.entries(properties), ['n', n] as const]);
      await catalog.commitTable(identifier, { requirements: [], updates: [{ action: 'set-properties', updates }] });
    }
  }
  expect(others.filter((file) => !existsSync(file))).toEqual([]);
  const { metadataLog: log } = (await catalog.loadTable(twin)).metadata;
  expect(log).toHaveLength(1);
});
