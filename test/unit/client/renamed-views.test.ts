/** Renamed views: their online tables follow at apply, whatever happens in between. */
import { describe, expect, it } from 'vitest';
import { applyDefinitions } from '../../../client/index.js';
import type { Definitions, FeatureView } from '../../../features/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { getOnlineFeatures, writeOnlineBatch } from '../../../online/index.js';
import { materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';
import { SmallProject } from '../../support/small-project.js';

/** A materialized view of 3 sensors, and its definitions under other names. */
async function start() {
  const small = await SmallProject.create();
  const { project, view } = small;
  await small.append(6, 0, 3);
  const deps = await materializationDeps(project);
  await materializeDirect(deps, { view });
  const registry = await project.registry();
  const { definitions } = await registry.read();
  const defined = definitions.featureViews.get(view);
  if (defined === undefined) throw new Error('the project has no view');
  const named = (name: string, more: Partial<FeatureView> = {}): Definitions => ({
    ...definitions,
    featureViews: new Map([[name, { ...defined, name, ...more }]]),
  });
  const served = async (name: string, more: { readonly nowUs?: bigint } = {}) => {
    const entities = [{ sensor: 0 }, { sensor: 1 }, { sensor: 2 }];
    const request = { view: name, entities, readTimeoutMs: 60_000, ...more };
    const { rows } = await getOnlineFeatures(deps, request);
    return rows.map(([value]) => value?.value);
  };
  const tables = async () => (await deps.catalog.listTables(['moraine_online'])).map(({ name }) => name);
  const apply = (desired: Definitions) => applyDefinitions(project, desired);
  return { small, view, deps, registry, named, served, tables, apply };
}

describe('a renamed view', () => {
  it('serves the old rows at once, and its next run continues from the last one', async () => {
    const { small, view, deps, named, served, tables, apply } = await start();
    const { renamedTables } = await apply(named('fresh', { renamedFrom: view }));
    expect(renamedTables).toEqual([{ from: `moraine_online.${view}`, to: 'moraine_online.fresh' }]);
    expect(await served('fresh')).toEqual([3, 4, 5]);
    expect(await tables()).toEqual(['fresh']);
    expect((await materializeDirect(deps, { view: 'fresh' })).plan.kind).toBe('nothing');
    await small.append(1, 10, 3);
    expect((await materializeDirect(deps, { view: 'fresh' })).plan).toMatchObject({ kind: 'incremental', files: 1 });
    expect(await served('fresh')).toEqual([10, 4, 5]);
    expect((await apply(named('fresh', { renamedFrom: view }))).renamedTables).toEqual([]);
  });

  it('of which the process ended before its table followed: the next apply finishes it, whatever it says', async () => {
    const { view, registry, named, served, tables, apply } = await start();
    // All that an apply does before its process ends.
    await registry.apply(named('second', { renamedFrom: view }));
    await registry.apply(named('third', { renamedFrom: 'second' }));
    expect(await tables()).toEqual([view]);
    expect(await failureOf(served('third'))).toMatchObject({ code: 'TABLE_NOT_FOUND' });
    expect((await apply(named('third'))).renamedTables).toEqual([
      { from: `moraine_online.${view}`, to: 'moraine_online.third' },
    ]);
    expect(await served('third')).toEqual([3, 4, 5]);
  });

  it('that is materialized before its table followed takes it along, and goes on from its last run', async () => {
    const { small, view, deps, registry, named, served, tables, apply } = await start();
    await registry.apply(named('fresh', { renamedFrom: view }));
    await small.append(1, 10, 3);
    expect((await materializeDirect(deps, { view: 'fresh' })).plan).toMatchObject({ kind: 'incremental', files: 1 });
    expect(await served('fresh')).toEqual([10, 4, 5]);
    expect(await tables()).toEqual(['fresh']);
    expect((await apply(named('fresh'))).renamedTables).toEqual([]);
  });

  it('that is written to before its table followed takes it along, with the rows that clients pushed before', async () => {
    const { view, deps, registry, named, served, tables } = await start();
    const row = (sensor: bigint, reading: number) => [sensor, reading, 4_102_444_800_000_000n, null];
    const write = (name: string, rows: readonly (readonly (bigint | number | null)[])[]) =>
      writeOnlineBatch(deps, { view: name, read: () => rows });
    await write(view, [row(1n, 71)]);
    await registry.apply(named('second', { renamedFrom: view }));
    await registry.apply(named('fresh', { renamedFrom: 'second' }));
    await write('fresh', [row(2n, 72)]);
    expect(await tables()).toEqual(['fresh']);
    const nowUs = 4_102_444_800_000_000n;
    expect(await served('fresh', { nowUs })).toEqual([3, 71, 72]);
  });

  it('gets no table under its old name from a write that began before', async () => {
    const { view, deps, registry, named, tables } = await start();
    const { definitions } = await registry.read();
    await deps.catalog.dropTable({ namespace: ['moraine_online'], name: view });
    let looks = 0;
    const late = async () => {
      looks += 1;
      // The first look was before the rename.
      return looks === 1 ? definitions : await deps.definitions();
    };
    await registry.apply(named('fresh', { renamedFrom: view }));
    const write = writeOnlineBatch({ ...deps, definitions: late }, { view, read: () => [[1n, 5, 1_000_000n, null]] });
    expect(await failureOf(write)).toMatchObject({ code: 'FEATURE_VIEW_NOT_FOUND' });
    expect(await tables()).toEqual([]);
  });

  it('does not take the table of another view that has its old name now', async () => {
    const { view, registry, named, tables, apply } = await start();
    await registry.apply(named('fresh', { renamedFrom: view }));
    expect((await apply(named(view))).renamedTables).toEqual([]);
    expect(await tables()).toEqual([view]);
  });

  it('is refused a name that an online table has already, before anything is changed', async () => {
    const { view, deps, registry, named, served, tables, apply } = await start();
    await deps.catalog.createTable(
      { namespace: ['moraine_online'], name: 'fresh' },
      { schema: { schemaId: 0, identifierFieldIds: [], fields: [] } },
    );
    const before = await registry.read();
    expect(await failureOf(apply(named('fresh', { renamedFrom: view })))).toMatchObject({
      code: 'TABLE_ALREADY_EXISTS',
      message: expect.stringContaining('moraine_online.fresh exists, of an earlier view') as string,
    });
    expect((await registry.read()).snapshotId).toBe(before.snapshotId);
    expect((await tables()).toSorted()).toEqual(['fresh', view].toSorted());
    expect(await served(view)).toEqual([3, 4, 5]);
  });

  it('stays where it is while it is only planned, and when it is not online', async () => {
    const { small, view, named, tables, apply } = await start();
    const desired = named('fresh', { renamedFrom: view });
    expect(await applyDefinitions(small.project, desired, { dryRun: true })).toMatchObject({ renamedTables: [] });
    expect((await apply(named('fresh', { renamedFrom: view, online: false }))).renamedTables).toEqual([]);
    expect(await tables()).toEqual([view]);
    expect((await apply(named('fresh'))).renamedTables).toHaveLength(1);
  });
});
