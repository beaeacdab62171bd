/** Columns of the online table that go, come back, or are changed by another engine. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveView } from '../../../features/index.js';
import { currentSchema, type NestedField } from '../../../iceberg/index.js';
import { materializeDirect, planMaterialization } from '../../../materialization/index.js';
import { ensureOnlineTable, getOnlineFeatures, writeOnlineBatch } from '../../../online/index.js';
import { Lab, SOURCE_SCHEMA } from '../../support/materialization-lab.js';

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
      { catalog: lab.catalog },
      resolveView(lab.definitions, 'readings', currentSchema(source.metadata)),
      source,
    );
    await lab.push({ k: 3, at: 30, v: 3 });
    expect((await run()).plan.kind).toBe('full');
    expect(await served([1, 2, 3])).toEqual([1, 2, 3]);
  });
});

it('a column whose type became another is written to by nobody before the run that fills it', async () => {
  const [k, time, created] = SOURCE_SCHEMA.fields;
  if (k === undefined || time === undefined || created === undefined) throw new Error('the source has three columns');
  await lab.dropSource();
  await lab.createSource({
    ...SOURCE_SCHEMA,
    fields: [k, time, created, { id: 9, name: 'v', required: false, type: { kind: 'string' } }],
  });
  await lab.appendSelect(
    `SELECT k, make_timestamptz(30000000), NULL::TIMESTAMPTZ, 'v' || k FROM (VALUES (1::BIGINT), (2)) AS t(k)`,
  );
  await planMaterialization(lab.deps, { view: 'readings', attemptId: 'planned-only' });
  const write = (value: string) =>
    writeOnlineBatch(lab.deps, {
      view: 'readings',
      open: () => Promise.resolve(`SELECT 1::BIGINT, '${value}', make_timestamptz(40000000), NULL::TIMESTAMPTZ`),
    });
  await expect(write('early')).rejects.toMatchObject({
    code: 'MATERIALIZATION_REQUIRED',
    message: expect.stringContaining("column 'v' has another type") as string,
  });
  expect(await served([1, 2])).toEqual([1, 2]);
  await run();
  await write('late');
  expect(await served([1, 2])).toEqual(['late', 'v2']);
});

it('event and created times that get a zone or lose it keep those of rows that clients pushed', async () => {
  const named = (name: string, kind: 'timestamp' | 'timestamptz') => ({ name, type: { kind } });
  await lab.dropSource();
  const columns = [
    ...[named('event_ts', 'timestamptz'), named('created', 'timestamptz')],
    ...[named('local_ts', 'timestamp'), named('local_created', 'timestamp')],
  ];
  const [k, , , v] = SOURCE_SCHEMA.fields;
  if (k === undefined || v === undefined) throw new Error('the source has a key and a value');
  const times = columns.map((column, index): NestedField => ({ ...column, id: 10 + index, required: false }));
  await lab.createSource({ ...SOURCE_SCHEMA, fields: [k, ...times, v] });
  const us = '10000000';
  const zoned = `make_timestamptz(${us})`;
  const zoneless = `make_timestamp(${us})`;
  await lab.appendSelect(`SELECT 1::BIGINT, ${zoned}, ${zoned}, ${zoneless}, ${zoneless}, 1::DOUBLE`);
  const source = { table: 'demo.source', timestampField: 'event_ts', createdTimestampField: 'created' };
  lab.view = { ...lab.view, features: [{ name: 'v' }], source };
  await run();
  const push = (second: string, created: string, value: number) =>
    writeOnlineBatch(lab.deps, {
      view: 'readings',
      open: () => Promise.resolve(`SELECT 2::BIGINT, ${value}::DOUBLE, ${second}, ${created}`),
    });
  await push('make_timestamptz(20000000)', 'make_timestamptz(31000000)', 7);
  await push('make_timestamptz(20000000)', 'make_timestamptz(30000000)', 8);
  const expected = [
    ['1', 1, 10_000_000n],
    ['2', 7, 20_000_000n],
  ];
  const found = async () => {
    const entities = [{ k: 1 }, { k: 2 }];
    const request = { view: 'readings', entities, nowUs: 1_000_000_000_000n, readTimeoutMs: 60_000 };
    const { rows } = await getOnlineFeatures(lab.deps, request);
    return rows.map(([value], index) => [String(index + 1), value?.value, value?.eventTimestampUs]);
  };
  expect(await found()).toEqual(expected);
  const local = { ...source, timestampField: 'local_ts', createdTimestampField: 'local_created' };
  for (const next of [local, source]) {
    lab.view = { ...lab.view, source: next };
    expect((await run()).plan.kind).toBe('full');
    expect(await found()).toEqual(expected);
  }
});
