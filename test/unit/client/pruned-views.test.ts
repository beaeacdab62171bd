/** Online tables that go: those of views that an apply deletes, and those that a teardown drops; and no other table does. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyDefinitions, teardownOnline } from '../../../client/index.js';
import type { Definitions, FeatureView } from '../../../features/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import { materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';
import { SmallProject } from '../../support/small-project.js';

/** Three views of one source, of which two are materialized. */
async function start() {
  const small = await SmallProject.create({ view: 'kept' });
  const { project } = small;
  await small.append(6, 0, 3);
  const deps = await materializationDeps(project);
  const { definitions } = await (await project.registry()).read();
  const defined = definitions.featureViews.get('kept') as FeatureView;
  const views = (...names: readonly string[]): Definitions => ({
    ...definitions,
    featureViews: new Map(names.map((name) => [name, { ...defined, name }])),
  });
  await applyDefinitions(project, views('kept', 'gone', 'never_materialized'));
  for (const view of ['kept', 'gone']) await materializeDirect(deps, { view });
  const tables = async () => (await deps.catalog.listTables(['moraine_online'])).map(({ name }) => name).sort();
  const files = () =>
    readdirSync(join(small.folder, 'warehouse', 'moraine_online'), { recursive: true, withFileTypes: true })
      // Plans of runs are no files of the table.
      .filter((entry) => entry.isFile() && !entry.name.startsWith('moraine-plan-'))
      .map(
        ({ parentPath }) => parentPath.slice(small.folder.length + '/warehouse/moraine_online/'.length).split('/')[0],
      );
  const served = async (view: string) => {
    const { rows } = await getOnlineFeatures(deps, { view, entities: [{ sensor: 0 }], readTimeoutMs: 60_000 });
    return rows[0]?.[0]?.value;
  };
  return { small, project, views, tables, files, served };
}

describe('a view that is deleted', () => {
  it('keeps its online table without --prune, and in a dry run, which says what would go', async () => {
    const { project, views, tables } = await start();
    const left = await applyDefinitions(project, views('kept'));
    expect(left.droppedTables).toEqual([]);
    const told: (readonly string[])[] = [];
    const planned = await applyDefinitions(project, views('kept'), {
      dryRun: true,
      prune: true,
      onPlan: (_plan, _schedules, _redefined, dropped) => {
        told.push(dropped);
        return Promise.resolve();
      },
    });
    expect([planned.droppedTables, told]).toEqual([['moraine_online.gone'], [['moraine_online.gone']]]);
    expect(await tables()).toEqual(['gone', 'kept']);
  });

  it('takes its online table and the files of it along, and nothing of another view or of the source', async () => {
    const { small, project, views, tables, files, served } = await start();
    expect(new Set(files())).toEqual(new Set(['gone', 'kept']));
    const before = await served('kept');
    const applied = await applyDefinitions(project, views('kept'), { prune: true });
    expect(applied.droppedTables).toEqual(['moraine_online.gone']);
    expect(await tables()).toEqual(['kept']);
    expect(new Set(files())).toEqual(new Set(['kept']));
    expect(await served('kept')).toBe(before);
    expect(await failureOf(served('gone'))).toMatchObject({ code: 'FEATURE_VIEW_NOT_FOUND' });
    expect(await small.recomputed()).toHaveLength(3);
    expect((await applyDefinitions(project, views('kept'), { prune: true })).droppedTables).toEqual([]);
    await applyDefinitions(project, views('kept', 'gone'));
    expect(await failureOf(served('gone'))).toMatchObject({ code: 'TABLE_NOT_FOUND' });
    await materializeDirect(await materializationDeps(project), { view: 'gone' });
    expect(await served('gone')).toBe(before);
  });

  it('whose table says that its files are not to be deleted is named, with what to do', async () => {
    const { project, views, tables } = await start();
    const { catalog, identifier } = await project.resolveTable('moraine_online.gone');
    await catalog.commitTable(identifier, {
      requirements: [],
      updates: [{ action: 'set-properties', updates: new Map([['gc.enabled', 'false']]) }],
    });
    const failure = await failureOf(applyDefinitions(project, views('kept'), { prune: true }));
    expect(failure).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(
        /^The definitions are registered, but the online table moraine_online\.gone /,
      ) as unknown,
      remedy: 'Drop it: `moraine table drop moraine_online.gone`, with --purge if its files may be deleted.',
    });
    expect(await tables()).toEqual(['gone', 'kept']);
    expect((await (await project.registry()).read()).definitions.featureViews.has('gone')).toBe(false);
  });
});

describe('a teardown', () => {
  it('drops the online tables of the given views with their files, and leaves definitions and sources', async () => {
    const { small, project, tables, files, served } = await start();
    const before = await served('gone');
    expect(await teardownOnline(project, { views: ['gone', 'never_materialized'], dryRun: true })).toEqual({
      tables: ['moraine_online.gone'],
    });
    expect(await tables()).toEqual(['gone', 'kept']);
    expect(await failureOf(teardownOnline(project, { views: ['gone', 'gome'] }))).toMatchObject({
      code: 'FEATURE_VIEW_NOT_FOUND',
    });
    expect(await tables()).toEqual(['gone', 'kept']);
    const dropped = await teardownOnline(project, { views: ['gone', 'gone', 'never_materialized'] });
    expect(dropped).toEqual({ tables: ['moraine_online.gone'] });
    expect(await tables()).toEqual(['kept']);
    expect(new Set(files())).toEqual(new Set(['kept']));
    expect(await served('kept')).toBe(before);
    expect(await failureOf(served('gone'))).toMatchObject({ code: 'TABLE_NOT_FOUND' });
    expect(await small.recomputed()).toHaveLength(3);
    await materializeDirect(await materializationDeps(project), { view: 'gone' });
    expect(await served('gone')).toBe(before);
  });

  it('drops those of all views where none is named, and no table that is no view', async () => {
    const { project, tables } = await start();
    const { catalog } = await materializationDeps(project);
    await catalog.createTable(
      { namespace: ['moraine_online'], name: 'others' },
      { schema: { schemaId: 0, identifierFieldIds: [], fields: [] } },
    );
    const { tables: dropped } = await teardownOnline(project);
    expect(dropped.toSorted()).toEqual(['moraine_online.gone', 'moraine_online.kept']);
    expect(await tables()).toEqual(['others']);
    expect(await teardownOnline(project)).toEqual({ tables: [] });
  });
});
