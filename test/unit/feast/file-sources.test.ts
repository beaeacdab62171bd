/** File sources of Feast whose files are those of an Iceberg table become views of that table. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { appendFile } from '../../../client/index.js';
import { foldersOfFiles } from '../../../feast/file-sources.js';
import { type FeastRepository, importFeast, readFeastRepository } from '../../../feast/index.js';
import type { FeastDataSource } from '../../../feast/registry-proto.js';
import { nearestTables, openProject, tablesOfFiles } from '../../../project/index.js';
import { projectRoot } from '../../support/paths.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const VIEW = 'driver_credit';

const sourceOf = (uri: string, endpoint = '') =>
  ({ type: 1, name: 'files', file_options: { uri, s3_endpoint_override: endpoint } }) as FeastDataSource;

/** The repository of the real Feast, of which one view reads these files. */
function repositoryWith(folder: string, store: string, source: FeastDataSource): FeastRepository {
  cpSync(join(projectRoot, 'test/fixtures/feast/repository'), folder, { recursive: true });
  const type = 'offline_store:\n  type: iceberg_stores.IcebergOfflineStore\n';
  writeFileSync(join(folder, 'feature_store.yaml'), `project: rides\nregistry: registry.db\n${type}${store}`);
  const repository = readFeastRepository(folder, {});
  const featureViews = repository.registry.featureViews.map((view) =>
    view.name === VIEW && view.batch_source !== null
      ? { ...view, batch_source: { ...view.batch_source, ...source, timestamp_field: 'event_timestamp' } }
      : view,
  );
  return { ...repository, registry: { ...repository.registry, featureViews } };
}

test('a view of files below the data folder of a table reads that table', async () => {
  const folder = temporaryFolder();
  const store = '  catalog_type: sql\n  catalog_name: lake\n  uri: sqlite:///catalog.db\n  warehouse: tables\n';
  const config = { catalogs: { lake: { uri: 'catalog.db', warehouse: 'tables' } } };
  const project = await openProject({ config, cwd: folder, fileFolders: [folder] });
  onTestFinished(() => project.close());
  writeFileSync(join(folder, 'rows.csv'), 'driver_id,event_timestamp,score\n1,2026-01-01T00:00:00Z,0.5\n');
  for (const table of ['rides.credit', 'rides.credit_other'])
    await appendFile(project, table, join(folder, 'rows.csv'), { create: true });

  const imported = async (uri: string) => {
    const repository = repositoryWith(folder, store, sourceOf(uri));
    const { definitions, findings } = await importFeast(repository, {
      folder,
      env: {},
      findTables: (_, folders) => tablesOfFiles(project, folders),
      readSchemas: async () => new Map(),
    });
    const view = definitions.featureViews.find(({ name }) => name === VIEW);
    const said = findings.filter(({ name }) => name === VIEW).map(({ outcome, reason }) => `${outcome}: ${reason}`);
    return { table: (view?.source as { table?: string } | undefined)?.table, said };
  };
  for (const uri of [
    'tables/rides/credit/data/*.parquet',
    `${folder}/tables/rides/credit/data`,
    `file://${folder}/tables/rides/credit/data/part=1/*.parquet`,
  ]) {
    const { table, said } = await imported(uri);
    expect(table, uri).toBe('rides.credit');
    expect(said.join()).toContain(`changed: it reads the files ${uri}, which belong to the table rides.credit`);
  }
  for (const uri of ['tables/rides/*.parquet', 'tables/rides/credit/data/00.parquet', 'tables/rides/cred/*.parquet']) {
    const { table, said } = await imported(uri);
    expect(table, uri).toBeUndefined();
    expect(said).toEqual(['left-out: it reads the file source files, which is no Iceberg table that can be named']);
  }
});

test('files in a bucket are looked for with the address that their source names, and not in another store', async () => {
  const ask = async (options: string, endpoint: string) => {
    const store = `  catalog_type: sql\n  catalog_name: lake\n  uri: sqlite:///catalog.db\n  warehouse: s3://b/wh\n${options}`;
    const repository = repositoryWith(
      temporaryFolder(),
      store,
      sourceOf('s3a://b/wh/credit/data/**/*.parquet', endpoint),
    );
    let asked: readonly unknown[] = [];
    await importFeast(repository, {
      folder: temporaryFolder(),
      env: {},
      findTables: async ({ storage }, folders) => {
        asked = [folders, storage.options['s3.endpoint']];
        return new Map();
      },
      readSchemas: async () => new Map(),
    });
    return asked;
  };
  const folders = ['s3a://b/wh/credit/data'];
  expect(await ask('', 'http://h:9000')).toEqual([folders, 'http://h:9000']);
  expect(await ask('', '')).toEqual([folders, undefined]);
  const options = '  storage_options:\n    s3.endpoint: http://h:9000\n';
  expect(await ask(options, 'http://h:9000')).toEqual([folders, 'http://h:9000']);
  expect(await ask(options, 'http://other:9000')).toEqual([]);
});

test('the folder of files is what is before a wildcard', () => {
  const folder = (uri: string) => foldersOfFiles(sourceOf(uri), '/repository');
  expect(folder('data/*.parquet')).toBe('/repository/data');
  expect(folder('/a/b/year=20*/c/')).toBe('/a/b');
  expect(folder('s3://b/a/')).toBe('s3://b/a');
  expect(folder('s3://b/a/one.parquet')).toBeUndefined();
  expect(folder('gs://b/a/*.parquet')).toBeUndefined();
  expect(foldersOfFiles({ ...sourceOf('a/*'), type: 2 }, '/repository')).toBeUndefined();
});

test('files belong to the table whose folder is the nearest around them', () => {
  const places = [
    { table: 'a.outer', folders: ['s3://b/wh', 's3://b/wh/data'] },
    { table: 'a.inner', folders: ['s3a://b/wh/data/inner/', 's3://other/inner'] },
  ];
  const folders = ['s3://b/wh/data', 's3://b/wh/data/inner/x', 's3n://other/inner', 's3://b/w', 's3://b/whx'];
  expect([...nearestTables(places, folders)]).toEqual([
    ['s3://b/wh/data', 'a.outer'],
    ['s3://b/wh/data/inner/x', 'a.inner'],
    ['s3n://other/inner', 'a.inner'],
  ]);
});
