/** Columns of the online table that go, come back, or are changed by another engine. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveView } from '../../../features/index.js';
import { currentSchema, type NestedField } from '../../../iceberg/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { ensureOnlineTable, getOnlineFeatures } from '../../../online/index.js';
import { Lab } from '../../support/materialization-lab.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
  await lab.append([
    { k: 1, at: 10, v: 1 },
    { k: 2, at: 20, v: 2 },
  ]);
  await run();
});
afterEach(async () => {
  await lab.close();
});

const run = () => materializeDirect(lab.deps, { view: 'readings' });

async function served(keys: readonly number[]): Promise<readonly unknown[]> {
  const request = { view: 'readings', entities: keys.map((k) => ({ k })), nowUs: 1_000_000_000_000n };
  const { rows } = await getOnlineFeatures(lab.deps, { ...request, readTimeoutMs: 60_000 });
  return rows.map(([value]) => value?.value);
}

/** As another engine: changes columns of the online table, and leaves the source alone. */
async function alter(change: (field: NestedField) => readonly NestedField[]): Promise<void> {
  const schema = currentSchema((await lab.online()).metadata);
  await lab.update({ namespace: ['moraine_online'], name: 'readings' }, [
    { action: 'add-schema', schema: { ...schema, fields: schema.fields.flatMap(change) } },
    { action: 'set-current-schema', schemaId: -1 },
  ]);
}

it('a feature that was added can be taken out again: the table has the columns of before', async () => {
  const { currentSchemaId } = (await lab.online()).metadata;
  const { view } = lab;
  const fieldMapping = new Map([['created', 'created_at']]);
  lab.view = { ...view, source: { table: 'demo.source', timestampField: 'event_ts', fieldMapping } };
  await run();
  expect((await lab.online()).metadata.currentSchemaId).not.toBe(currentSchemaId);
  lab.view = view;
  const { plan } = await run();
  expect(plan.kind).toBe('full');
  expect((await lab.online()).metadata.currentSchemaId).toBe(currentSchemaId);
  expect(await served([1, 2])).toEqual([1, 2]);
});

describe('a column that another engine changed is filled again by the next run', () => {
  it.each([
    { what: 'renamed', change: (field: NestedField) => [field.name === 'v' ? { ...field, name: 'w' } : field] },
    { what: 'dropped', change: (field: NestedField) => (field.name === 'v' ? [] : [field]) },
  ])('$what', async ({ change }) => {
    await alter(change);
    await lab.append([{ k: 3, at: 30, v: 3 }]);
    const { plan } = await run();
    expect(plan).toMatchObject({
      kind: 'full',
      reason: 'the online table has columns that its rows have no values of',
    });
    expect(await served([1, 2, 3])).toEqual([1, 2, 3]);
    expect((await run()).plan.kind).toBe('nothing');
  });

  it('also if a run has died once it had made the column, and rows were written since', async () => {
    await alter((field) => [field.name === 'v' ? { ...field, name: 'w' } : field]);
    const source = await lab.source();
    await ensureOnlineTable(
      lab.catalog,
      resolveView(lab.definitions, 'readings', currentSchema(source.metadata)),
      source,
    );
    await lab.push({ k: 3, at: 30, v: 3 });
    expect((await run()).plan.kind).toBe('full');
    expect(await served([1, 2, 3])).toEqual([1, 2, 3]);
  });
});
