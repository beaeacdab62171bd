/** The identity of a project: made once, kept with the registry, and carried by names. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { projectName, projectOfId } from '../../../features/index.js';
import { openProject, type Project } from '../../../project/index.js';
import { listFiles } from '../../../storage/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const CONFIG = 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\n';

async function projectIn(folder: string): Promise<Project> {
  writeFileSync(join(folder, 'moraine.yaml'), CONFIG);
  const project = await openProject({ cwd: folder });
  onTestFinished(() => project.close());
  return project;
}

test('an identity is the same for all hosts of a warehouse that ask for the first time at once', async () => {
  const folder = temporaryFolder();
  const hosts = await Promise.all([1, 2, 3].map(() => projectIn(folder)));
  expect(await hosts[0]?.knownIdentity()).toBeNull();
  const ids = await Promise.all(hosts.map((host) => host.identity()));
  const { metadata } = (await hosts[0]?.loadTable('moraine.registry')) ?? {};
  expect(new Set(ids)).toEqual(new Set([metadata?.tableUuid.slice(-12)]));
  expect(await hosts[1]?.knownIdentity()).toBe(ids[0]);
  expect(await (await projectIn(temporaryFolder())).identity()).not.toBe(ids[0]);
});

test('a new identity is kept in the registry, and nothing else of it changes', async () => {
  const folder = temporaryFolder();
  const project = await projectIn(folder);
  const before = await project.identity();
  const renewed = await (await project.registry()).renewProjectId();
  expect(renewed).toMatch(/^[0-9a-f]{12}$/);
  expect(renewed).not.toBe(before);
  expect([await project.identity(), await (await projectIn(folder)).identity()]).toEqual([renewed, renewed]);
  const { metadata } = await project.loadTable('moraine.registry');
  expect([metadata.properties.get('moraine.project-id'), metadata.tableUuid.slice(-12)]).toEqual([renewed, before]);
});

test('a catalog that has lost its registry gets it back with its identity, and no other one beside it', async () => {
  const folder = temporaryFolder();
  const before = await (await projectIn(folder)).identity();
  const copy = temporaryFolder();
  cpSync(join(folder, 'warehouse'), join(copy, 'warehouse'), { recursive: true });
  rmSync(join(folder, 'catalog.db'));
  const project = await projectIn(folder);
  const catalog = await project.catalog();
  await catalog.createNamespace(['moraine']);
  await expect(project.identity()).rejects.toMatchObject({
    code: 'TABLE_ALREADY_EXISTS',
    message: expect.stringMatching(
      /moraine table register moraine\.registry \S+\/warehouse\/moraine\/registry/,
    ) as string,
  });
  const files: string[] = [];
  for await (const { location } of listFiles(project.io, `${folder}/warehouse/moraine/registry/metadata`))
    files.push(location);
  await catalog.registerTable({ namespace: ['moraine'], name: 'registry' }, files[0] ?? '');
  expect(await project.identity()).toBe(before);
});

test.each([
  ['materialize/v/incremental@0123456789ab', '0123456789ab'],
  ['schedule/materialize/v@0123456789ab-2026-01-01T00:00:00Z', '0123456789ab'],
  ['schedule/maintainTables/policy@0123456789ab-2026-01-01T00:00:00Z/compact/a.b', '0123456789ab'],
  ['compact/a.t@aaaaaaaaaaaa@0123456789ab', '0123456789ab'],
  ['materialize/v/incremental', null],
  ['by-hand@home', null],
  ['v@0123456789abc', null],
  ['v@0123456789AB', null],
])('%s is of the project %s', (id, project) => {
  expect(projectOfId(id)).toBe(project);
  expect(projectName('materialize/v', project)).toBe(project === null ? 'materialize/v' : `materialize/v@${project}`);
});
