/** A project whose folder lies elsewhere than when its tables were made: moved, copied, mounted. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createMoraine, type Moraine } from '../../../index.js';
import { compactDirect, sweepOrphans } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { compactDeps, findMovedLocations, maintenanceDeps, materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';
import { SmallProject } from '../../support/small-project.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const VIEW = 'readings';
const SCHEMA = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'n', required: false, type: { kind: 'long' } }],
} as const;

/** Contents of every file below a folder, by their paths there, but for those of state. */
function contents(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')]));
}

/** A project of 300 rows at `made`, materialized, and closed. */
async function makeProject(): Promise<{ readonly made: string; readonly moved: string }> {
  const base = temporaryFolder();
  const made = join(base, 'made');
  cpSync(temporaryFolder(), made, { recursive: true });
  const small = await SmallProject.createIn(made, { view: VIEW });
  for (const second of [0, 100, 200]) await small.append(100, second);
  await materializeDirect(await materializationDeps(small.project), { view: VIEW });
  await small.project.close();
  return { made, moved: join(base, 'moved') };
}

function mapped(folder: string, prefix: string): void {
  const config = readFileSync(join(folder, 'moraine.yaml'), 'utf8');
  writeFileSync(join(folder, 'moraine.yaml'), `${config}storage: { locations: { "${prefix}": warehouse } }\n`);
}

async function open(folder: string): Promise<Moraine> {
  const moraine = await createMoraine({ cwd: folder, fileFolders: [folder] });
  onTestFinished(() => moraine.close());
  return moraine;
}

const valueOf = async (moraine: Moraine, sensor: number): Promise<unknown> => {
  const request = { view: VIEW, entities: [{ sensor }], readTimeoutMs: 10_000 };
  return (await moraine.getOnlineFeatures(request)).rows[0]?.[0]?.value;
};

/** Everything that writes: rows, deletes, an online table, compaction, removal of what nothing reaches. */
async function work(folder: string, moraine: Moraine, deleted: number): Promise<void> {
  writeFileSync(join(folder, 'more.csv'), 'sensor,event_ts,reading\n7,1970-01-01T01:00:00Z,-7\n');
  await moraine.appendFile('demo.readings', join(folder, 'more.csv'));
  expect(await moraine.deleteRows('demo.readings', `sensor = ${deleted}`)).toMatchObject({ rows: 3n });
  const { project } = moraine;
  await materializeDirect(await materializationDeps(project), { view: VIEW });
  expect(await valueOf(moraine, 7)).toBe(-7);
  await compactDirect(await compactDeps(project), { table: 'demo.readings', strategy: 'binpack' });
  await sweepOrphans(maintenanceDeps(project), 'demo.readings', { olderThanMs: 0n, allowYoung: true });
}

test('moved without a word: nothing is touched, and the error says what to do', async () => {
  const { made, moved } = await makeProject();
  renameSync(made, moved);
  const before = contents(moved);
  const { code, message } = await failureOf(
    (await open(moved)).appendFile('demo.readings', join(moved, 'moraine.yaml')),
  );
  expect(code).toBe('LOCATION_REFUSED');
  expect(message).toContain('if the project was moved, run moraine doctor');
  expect(contents(moved)).toEqual(before);
});

test('a copy beside its original reads, writes and deletes at its own place alone', async () => {
  const { made, moved } = await makeProject();
  cpSync(made, moved, { recursive: true });
  mapped(moved, join(made, 'warehouse'));
  const original = contents(made);
  const copy = await open(moved);
  expect(await valueOf(copy, 7)).toBe(207);
  await work(moved, copy, 8);
  expect(contents(made)).toEqual(original);
  const there = await open(made);
  expect(await valueOf(there, 7)).toBe(207);
});

test('what is written in one place is read in the other: the table keeps its prefix', async () => {
  const { made, moved } = await makeProject();
  renameSync(made, moved);
  mapped(moved, join(made, 'warehouse'));
  const away = await open(moved);
  await work(moved, away, 8);
  const { metadata, metadataLocation } = await away.project.loadTable('demo.readings');
  expect(metadata.location).toBe(join(made, 'warehouse/demo/readings'));
  expect(metadataLocation.startsWith(`${metadata.location}/metadata/`)).toBe(true);
  await away.close();
  expect(existsSync(made)).toBe(false);
  renameSync(moved, made);
  const home = await open(made);
  expect(await valueOf(home, 7)).toBe(-7);
  await work(made, home, 9);
});

test('tables of nested namespaces are looked for, too', async () => {
  const base = temporaryFolder();
  const made = await createMoraine({ cwd: base, config: { catalogs: { local: { uri: 'c.db', warehouse: 'made' } } } });
  const catalog = await made.project.catalog();
  for (const namespace of [['a'], ['a', 'b']]) await catalog.createNamespace(namespace);
  await catalog.createTable({ namespace: ['a', 'b'], name: 't' }, { schema: SCHEMA });
  await made.close();
  renameSync(join(base, 'made'), join(base, 'moved'));
  const config = { catalogs: { local: { uri: 'c.db', warehouse: 'moved' } } };
  const moved = await createMoraine({ cwd: base, config });
  onTestFinished(() => moved.close());
  const expected = { proposed: [{ prefix: join(base, 'made'), folder: join(base, 'moved') }], lost: [], elsewhere: [] };
  expect(await findMovedLocations(moved.project)).toEqual(expected);
});
