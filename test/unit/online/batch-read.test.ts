/** Reads of views that have no online table, alone and together with online ones. Expected values are worked out by hand. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Definitions } from '../../../features/index.js';
import type { NestedField } from '../../../iceberg/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { type BatchRequest, readBatch } from '../../../online/index.js';
import { Lab, SOURCE_SCHEMA, VIEW } from '../../support/materialization-lab.js';

const us = (seconds: number): bigint => BigInt(seconds) * 1_000_000n;

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
});
afterEach(async () => {
  await lab.close();
});

/** The view `readings` is not online, `served` has the same source and is. */
const definitions = (ttlMs: bigint | null = null): Definitions => ({
  entities: lab.definitions.entities,
  featureViews: new Map([
    ['readings', { ...VIEW, online: false, ttlMs }],
    ['served', { ...VIEW, name: 'served', ttlMs }],
  ]),
  featureServices: new Map(),
});

const read = (request: Partial<BatchRequest> & Pick<BatchRequest, 'entities'>, ttlMs: bigint | null = null) =>
  readBatch(
    { ...lab.deps, definitions: () => Promise.resolve(definitions(ttlMs)) },
    { views: ['readings'], nowUs: us(1000), readTimeoutMs: 60_000, ...request },
  );

const present = (value: number, seconds: number) => ({
  status: 'PRESENT',
  value,
  eventTimestampUs: us(seconds),
});
const NOT_FOUND = { status: 'NOT_FOUND', value: null, eventTimestampUs: null };

describe('a view that is not online', () => {
  it('is read from its source as of now, in request order, without a materialization', async () => {
    await lab.createSource();
    await lab.append([
      { k: 1, at: 30, created: 31, v: 3 },
      { k: 2, at: 20, v: null },
      { k: 3, at: 1001, v: 9 },
      { k: 4, at: 5, created: 50, v: 1 },
      { k: 4, at: 5, created: 40, v: 2 },
    ]);
    const late = await lab.append([
      { k: 1, at: 10, v: 1 },
      { k: 3, at: 1000, v: 8 },
    ]);
    const answer = await read({ entities: [{ k: 2 }, { k: 1 }, { k: 3 }, { k: 9 }, { k: null }, { k: 4 }, { k: 1n }] });
    expect(answer.rows).toEqual([
      [{ status: 'NULL_VALUE', value: null, eventTimestampUs: us(20) }],
      [present(3, 30)],
      [present(8, 1000)],
      [NOT_FOUND],
      [NOT_FOUND],
      [present(1, 5)],
      [present(3, 30)],
    ]);
    expect(answer.joinKeys).toEqual([{ name: 'k', type: { kind: 'long' } }]);
    expect(answer.snapshots).toEqual([{ view: 'readings', table: 'demo.source', snapshotId: late }]);
    expect((await read({ entities: [] })).rows).toEqual([]);
  });

  it('withholds values strictly older than the ttl, and says when they were', async () => {
    await lab.createSource();
    await lab.append([
      { k: 1, at: 995, v: 1 },
      { k: 2, at: 994, v: 2 },
    ]);
    const { rows } = await read({ entities: [{ k: 1 }, { k: 2 }] }, 5000n);
    expect(rows).toEqual([[present(1, 995)], [{ status: 'OUTSIDE_MAX_AGE', value: null, eventTimestampUs: us(994) }]]);
  });

  it('keeps the order of many entities', async () => {
    await lab.createSource();
    await lab.appendSelect(
      `SELECT i, make_timestamptz(0), NULL::TIMESTAMPTZ, i::DOUBLE FROM range(20000) AS t(i) ORDER BY hash(i)`,
    );
    const keys = Array.from({ length: 9_999 }, (_, index) => (index * 7919) % 20_000);
    const { rows } = await read({ entities: keys.map((k) => ({ k })) });
    expect(rows.map(([value]) => value?.value)).toEqual(keys);
  });

  it('names what is wrong with a request', async () => {
    await lab.createSource();
    const fails = (request: Partial<BatchRequest>, code: string) =>
      expect(read({ entities: [{ k: 1 }], ...request })).rejects.toMatchObject({ code });
    await fails({ entities: [{ k: 'one' }] }, 'TYPE_MISMATCH');
    await fails({ entities: [{ key: 1 }] }, 'INVALID_ARGUMENT');
    await fails({ views: ['reading'] }, 'FEATURE_VIEW_NOT_FOUND');
    // Of a table without rows.
    expect((await read({ entities: [{ k: 1 }] })).rows).toEqual([[NOT_FOUND]]);
  });

  const types: readonly [NestedField['type'], string, unknown][] = [
    [{ kind: 'int' }, '7::INTEGER', 7],
    [{ kind: 'string' }, `'it''s "x" 😀'`, 'it\'s "x" 😀'],
    [{ kind: 'date' }, `DATE '1969-12-31'`, '1969-12-31'],
    [{ kind: 'timestamp' }, `TIMESTAMP '2001-01-01 00:00:00.000001'`, '2001-01-01T00:00:00.000001'],
    [{ kind: 'timestamptz' }, `TIMESTAMPTZ '2001-01-01 00:00:00.000001Z'`, '2001-01-01T00:00:00.000001Z'],
    [{ kind: 'uuid' }, `'f79c3e09-677c-4bbd-a479-3f349cb785e7'::UUID`, 'f79c3e09-677c-4bbd-a479-3f349cb785e7'],
    [{ kind: 'decimal', precision: 9, scale: 2 }, '-0.05::DECIMAL(9,2)', '-0.05'],
    [{ kind: 'binary' }, `'\\x00\\xFF'::BLOB`, '00ff'],
    [{ kind: 'boolean' }, 'true', true],
    [{ kind: 'time' }, `TIME '01:02:03'`, '01:02:03'],
  ];
  it('is not asked for decimals of more digits than their precision: the key is named', async () => {
    const type: NestedField['type'] = { kind: 'decimal', precision: 9, scale: 2 };
    const fields = SOURCE_SCHEMA.fields.map((field) => (field.name === 'k' ? { ...field, type } : field));
    await lab.createSource({ ...SOURCE_SCHEMA, fields });
    await lab.appendSelect(`SELECT 1.5::DECIMAL(9, 2), make_timestamptz(0), NULL::TIMESTAMPTZ, 5.0::DOUBLE`);
    await expect(read({ entities: [{ k: '12345678.90' }] })).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message: "The value '12345678.90' of the join key 'k' is not of type decimal(9, 2).",
    });
  });

  it.each(types)('is found by keys of type %j', async (type, sql, value) => {
    const fields = SOURCE_SCHEMA.fields.map((field) => (field.name === 'k' ? { ...field, type } : field));
    await lab.createSource({ ...SOURCE_SCHEMA, fields });
    await lab.appendSelect(`SELECT ${sql}, make_timestamptz(0), NULL::TIMESTAMPTZ, 5.0::DOUBLE`);
    expect((await read({ entities: [{ k: value }] })).rows).toEqual([[present(5, 0)]]);
  });
});

it('reads online views from their tables and others from the source, in the order of the request', async () => {
  await lab.createSource();
  await lab.append([{ k: 1, at: 10, v: 1 }]);
  const deps = { ...lab.deps, definitions: () => Promise.resolve(definitions()) };
  const { commit } = await materializeDirect(deps, { view: 'served' });
  const source = await lab.append([{ k: 1, at: 20, v: 2 }]);
  const both = { entities: [{ k: 1 }, { k: 2 }], views: ['readings', 'served', 'readings'] };
  const { rows, features, snapshots } = await read({ ...both, fullFeatureNames: true });
  expect(features.map(({ name }) => name)).toEqual(['readings__v', 'served__v']);
  expect(rows).toEqual([
    [present(2, 20), present(1, 10)],
    [NOT_FOUND, NOT_FOUND],
  ]);
  const served = { view: 'served', table: 'moraine_online.served', snapshotId: commit?.snapshotId };
  const uuid: unknown = expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
  expect(snapshots).toEqual([
    { view: 'readings', table: 'demo.source', snapshotId: source },
    { ...served, sequenceNumber: 1n, tableUuid: uuid },
  ]);
  const turned = await read({ ...both, views: ['served', 'readings'], fullFeatureNames: true });
  expect(turned.rows[0]).toEqual([present(1, 10), present(2, 20)]);
  await expect(read(both)).rejects.toMatchObject({ code: 'DUPLICATE_NAME' });
});
