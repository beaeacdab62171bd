import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defineEntity, defineFeatureView } from '../../../features/index.js';
import { currentSchema, type NestedField } from '../../../iceberg/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { FileIndex } from '../../../online/file-index.js';
import { OnlineReader, type OnlineRequest } from '../../../online/index.js';
import { Lab, SOURCE_SCHEMA } from '../../support/materialization-lab.js';

const us = (seconds: number): bigint => BigInt(seconds) * 1_000_000n;

let lab: Lab;
let reader: OnlineReader;
beforeEach(async () => {
  lab = await Lab.open();
  reader = new OnlineReader(lab.deps);
});
afterEach(async () => {
  await lab.close();
});

const read = (request: Partial<OnlineRequest> & Pick<OnlineRequest, 'entities'>) =>
  reader.getOnlineFeatures({ view: 'readings', nowUs: us(1000), readTimeoutMs: 60_000, ...request });

describe('an online read', () => {
  beforeEach(async () => {
    await lab.createSource();
    await lab.append([
      { k: 1, at: 10, v: 1 },
      { k: 2, at: 20, v: null },
    ]);
    await materializeDirect(lab.deps, { view: 'readings' });
  });

  it('answers every entity in request order, equal ones alike, with status and event time', async () => {
    const { rows, features, snapshots } = await read({
      entities: [{ k: 2 }, { k: 1 }, { k: 9 }, { k: null }, { k: 1n }],
    });
    const one = { status: 'PRESENT', value: 1, eventTimestampUs: us(10) };
    expect(rows).toEqual([
      [{ status: 'NULL_VALUE', value: null, eventTimestampUs: us(20) }],
      [one],
      [{ status: 'NOT_FOUND', value: null, eventTimestampUs: null }],
      [{ status: 'NOT_FOUND', value: null, eventTimestampUs: null }],
      [one],
    ]);
    expect(features).toEqual([
      { name: 'v', view: 'readings', alias: 'readings', feature: 'v', type: { kind: 'double' } },
    ]);
    const { metadata } = await lab.online();
    expect(snapshots).toEqual([
      {
        view: 'readings',
        table: 'moraine_online.readings',
        snapshotId: metadata.currentSnapshotId,
        sequenceNumber: 1n,
        tableUuid: metadata.tableUuid,
      },
    ]);
  });

  it('takes features and views as text or as their definitions', async () => {
    const k = defineEntity({ name: 'k', joinKeys: ['k'] });
    const source = { table: 'demo.readings', timestampField: 'at' };
    const readings = defineFeatureView({ name: 'readings', entities: [k], source, features: ['v'] });
    const selections = [
      { view: readings },
      { features: [readings.feature('v')], view: undefined },
      { features: [readings], view: undefined },
      { features: ['readings:v'], view: undefined },
    ];
    for (const selection of selections) {
      const { rows } = await read({ entities: [{ k: 1 }], ...selection });
      expect(rows).toEqual([[{ status: 'PRESENT', value: 1, eventTimestampUs: us(10) }]]);
    }
  });

  it('serves the newest row up to the time asked for', async () => {
    await lab.append([{ k: 1, at: 30, v: 3 }]);
    await materializeDirect(lab.deps, { view: 'readings' });
    const at = async (nowUs: bigint) => (await read({ entities: [{ k: 1 }], nowUs })).rows[0]?.[0]?.value;
    expect(await at(us(30) - 1n)).toBe(1);
    expect(await at(us(30))).toBe(3);
    expect(await at(us(9))).toBeNull();
  });

  it('withholds a value that is strictly older than the ttl', async () => {
    lab.view = { ...lab.view, ttlMs: 5000n };
    const at = async (nowUs: bigint, includeExpired = false) =>
      (await read({ entities: [{ k: 1 }], nowUs, includeExpired })).rows[0]?.[0];
    expect(await at(us(15))).toMatchObject({ status: 'PRESENT', value: 1 });
    expect(await at(us(15) + 1n)).toMatchObject({ status: 'OUTSIDE_MAX_AGE', value: null });
    expect(await at(us(15) + 1n, true)).toMatchObject({ status: 'OUTSIDE_MAX_AGE', value: 1 });
  });

  it('reads a newer snapshot only when the pointer is checked: on every read, or when it is too old', async () => {
    await read({ entities: [{ k: 1 }] });
    await lab.append([{ k: 1, at: 40, v: 4 }]);
    const { commit } = await materializeDirect(lab.deps, { view: 'readings' });
    const value = async (request: Partial<OnlineRequest>) =>
      (await read({ entities: [{ k: 1 }], ...request })).rows[0]?.[0]?.value;
    expect(await value({ maxStalenessMs: 3_600_000 })).toBe(1);
    const wanted = new Map([['readings', commit?.snapshotId ?? 0n]]);
    expect(await value({ maxStalenessMs: 3_600_000, minSnapshots: wanted })).toBe(4);
    expect(await value({})).toBe(4);
  });

  it('refuses when the wanted snapshot is not there even after loading again', async () => {
    const minSnapshots = new Map([['readings', 12345n]]);
    await expect(read({ entities: [{ k: 1 }], minSnapshots })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  });

  it('fails as a whole when it runs out of time', async () => {
    await expect(read({ entities: [{ k: 1 }], readTimeoutMs: 0 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
  });

  it('opens a view in its own time: the configured limit is for the reads after the first', async () => {
    const impatient = new OnlineReader({ ...lab.deps, readTimeoutMs: 0 });
    const request = { view: 'readings', entities: [{ k: 1 }], nowUs: us(1000) };
    const { rows } = await impatient.getOnlineFeatures(request);
    expect(rows[0]?.[0]).toMatchObject({ status: 'PRESENT', value: 1 });
    await expect(impatient.getOnlineFeatures(request)).rejects.toMatchObject({
      code: 'TIMED_OUT',
      message: expect.stringContaining('0 ms (readTimeoutMs)') as string,
    });
    const patient = { ...request, readTimeoutMs: 60_000 };
    expect((await impatient.getOnlineFeatures(patient)).rows).toEqual(rows);
  });

  it('reads only files of the buckets of its keys', async () => {
    await lab.append(Array.from({ length: 40 }, (_, k) => ({ k, at: 50, v: k })));
    await materializeDirect(lab.deps, { view: 'readings' });
    const table = await lab.online();
    const schema = currentSchema(table.metadata);
    const key = schema.fields[0] as NestedField;
    const eventTimestamp = schema.fields.find(({ name }) => name === 'event_timestamp') as NestedField;
    const index = await FileIndex.load(table, schema, { lookup: key, eventTimestamp });
    // Four buckets, one file each from the second run; murmur3 of 34 (specification: 2017239379) mod 4 is 3.
    const [file, ...others] = index.walkFor(key.type, [34n]).files.filter(({ recordCount }) => recordCount > 1n);
    expect(others).toEqual([]);
    const found = await lab.engine.withConnection((c) =>
      c.rows(`SELECT count(*) FROM read_parquet('${file?.location}') WHERE k = 34`),
    );
    expect(found).toEqual([[1n]]);
    expect(index.walkFor(key.type, [34n, 34n]).files.length).toBe(index.walkFor(key.type, [34n]).files.length);
  });

  it('names what is wrong with a request', async () => {
    const fails = (request: Partial<OnlineRequest>, code: string) =>
      expect(read({ entities: [{ k: 1 }], ...request })).rejects.toMatchObject({ code });
    await fails({ entities: [{ k: 'one' }] }, 'TYPE_MISMATCH');
    await fails({ entities: [{ key: 1 }] }, 'INVALID_ARGUMENT');
    await fails({ view: 'absent' }, 'FEATURE_VIEW_NOT_FOUND');
    await fails({ view: undefined, service: 'absent' }, 'FEATURE_SERVICE_NOT_FOUND');
    await fails({ view: undefined, features: ['readings:absent'] }, 'FEATURE_NOT_FOUND');
    await fails({ service: 'both' }, 'INVALID_ARGUMENT');
    const twice = [{ view: 'readings' }, { view: 'readings', alias: 'again' }];
    await fails({ view: undefined, features: twice }, 'DUPLICATE_NAME');
    const { features } = await read({ entities: [{ k: 1 }], view: undefined, features: twice, fullFeatureNames: true });
    expect(features.map(({ name }) => name)).toEqual(['readings__v', 'again__v']);
  });
});

it('takes definitions once for each response, whatever they are a moment later', async () => {
  const [k, at, created, v] = SOURCE_SCHEMA.fields as [NestedField, NestedField, NestedField, NestedField];
  await lab.createSource({ ...SOURCE_SCHEMA, fields: [k, at, created, v, { ...v, id: 5, name: 'w' }] });
  await lab.appendSelect('SELECT 1::BIGINT, make_timestamptz(0), NULL::TIMESTAMPTZ, 10.0::DOUBLE, 20.0::DOUBLE');
  /** Definitions of two views with these features. */
  const defined = (features: { readonly first: readonly string[]; readonly second: readonly string[] }) => {
    const views = Object.entries(features).map(
      ([name, those]) => [name, { ...lab.view, name, features: those.map((feature) => ({ name: feature })) }] as const,
    );
    return { ...lab.definitions, featureViews: new Map(views) };
  };
  const both = defined({ first: ['v', 'w'], second: ['v', 'w'] });
  for (const view of ['first', 'second'])
    await materializeDirect({ ...lab.deps, definitions: () => Promise.resolve(both) }, { view });
  // The feature w moves from one view to the other, and back.
  const states = [defined({ first: ['v', 'w'], second: ['v'] }), defined({ first: ['v'], second: ['v', 'w'] })];
  let looks = 0;
  const definitions = async () => {
    looks += 1;
    return await Promise.resolve(states[looks % 2] ?? both);
  };
  reader = new OnlineReader({ ...lab.deps, definitions });
  const answers = new Map<string, number>();
  const ask = async (maxStalenessMs: number): Promise<void> => {
    const request = { view: undefined, features: ['first', 'second'], fullFeatureNames: true, maxStalenessMs };
    const { features, rows } = await read({ entities: [{ k: 1 }], ...request });
    const text = features.map(({ name }, place) => `${name} ${JSON.stringify(rows[0]?.[place]?.value)}`).join(', ');
    answers.set(text, (answers.get(text) ?? 0) + 1);
  };
  for (let round = 0; round < 10; round += 1) {
    await ask(0);
    await Promise.all(Array.from({ length: 5 }, (_, place) => ask(place % 2 === 0 ? 0 : 60_000)));
  }
  expect([...answers.keys()].sort()).toEqual([
    'first__v 10, first__w 20, second__v 10',
    'first__v 10, second__v 10, second__w 20',
  ]);
  await reader.close();
});

it('says that a view was never materialized', async () => {
  await lab.createSource();
  await expect(read({ entities: [{ k: 1 }] })).rejects.toMatchObject({
    code: 'TABLE_NOT_FOUND',
    message: expect.stringContaining('never been materialized') as string,
  });
});

describe('keys', () => {
  const types: readonly [NestedField['type'], string, unknown, string][] = [
    [{ kind: 'int' }, '7::INTEGER', 7, 'k'],
    [{ kind: 'string' }, `'it''s "x" 😀'`, 'it\'s "x" 😀', 'k'],
    [{ kind: 'date' }, `DATE '1969-12-31'`, '1969-12-31', 'k'],
    [{ kind: 'timestamp' }, `TIMESTAMP '2001-01-01 00:00:00.000001'`, '2001-01-01T00:00:00.000001', 'k'],
    [{ kind: 'uuid' }, `'f79c3e09-677c-4bbd-a479-3f349cb785e7'::UUID`, 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 'k'],
    [{ kind: 'decimal', precision: 9, scale: 2 }, '-0.05::DECIMAL(9,2)', '-0.05', 'k'],
    [{ kind: 'binary' }, `'\\x00\\xFF'::BLOB`, '00ff', 'k'],
    [{ kind: 'boolean' }, 'true', true, '_entity_key'],
    [{ kind: 'time' }, `TIME '01:02:03'`, '01:02:03', '_entity_key'],
  ];

  it.each(types)('of type %j are found by value', async (type, sql, value, bucketed) => {
    const fields = SOURCE_SCHEMA.fields.map((field) => (field.name === 'k' ? { ...field, type } : field));
    await lab.createSource({ ...SOURCE_SCHEMA, fields });
    await lab.appendSelect(`SELECT ${sql}, make_timestamptz(0), NULL::TIMESTAMPTZ, 5.0::DOUBLE`);
    await materializeDirect(lab.deps, { view: 'readings' });
    expect((await read({ entities: [{ k: value }] })).rows).toEqual([
      [{ status: 'PRESENT', value: 5, eventTimestampUs: 0n }],
    ]);
    const { metadata } = await lab.online();
    const source = currentSchema(metadata).fields.find(
      (field) => field.id === metadata.partitionSpecs[0]?.fields[0]?.sourceId,
    );
    expect(source?.name).toBe(bucketed);
  });

  it('that are decimals have no more digits than their precision, or the read fails and names the key', async () => {
    const decimal: NestedField['type'] = { kind: 'decimal', precision: 9, scale: 2 };
    const fields = SOURCE_SCHEMA.fields.map((field) => (field.name === 'k' ? { ...field, type: decimal } : field));
    await lab.createSource({ ...SOURCE_SCHEMA, fields });
    await lab.appendSelect(`SELECT 9999999.99::DECIMAL(9, 2), make_timestamptz(0), NULL::TIMESTAMPTZ, 5.0::DOUBLE`);
    await materializeDirect(lab.deps, { view: 'readings' });
    for (const cacheBytes of [0, 2 ** 20]) {
      reader = new OnlineReader({ ...lab.deps, cacheBytes });
      const { rows } = await read({ entities: [{ k: '9999999.99' }, { k: '-9999999.99' }, { k: 999_999_999n }] });
      expect(rows.map(([value]) => value?.value)).toEqual([5, null, 5]);
      for (const [k, text] of [
        ['12345678.90', "'12345678.90'"],
        ['-10000000', "'-10000000'"],
        [12_345_678.9, '12345678.9'],
        [1_234_567_890n, '1234567890'],
      ] as const)
        await expect(read({ entities: [{ k: '1.00' }, { k }] })).rejects.toMatchObject({
          code: 'TYPE_MISMATCH',
          message: `The value ${text} of the join key 'k' is not of type decimal(9, 2).`,
        });
      await reader.close();
    }
  });

  it('of several columns are their typed tuple', async () => {
    const [, ...rest] = SOURCE_SCHEMA.fields;
    const key = (id: number, name: string): NestedField => ({ id, name, required: false, type: { kind: 'string' } });
    await lab.createSource({ ...SOURCE_SCHEMA, fields: [key(11, 'a"b'), key(12, '__proto__'), ...rest] });
    lab.joinKeys = ['a"b', '__proto__'];
    await lab.appendSelect(
      `SELECT * FROM (VALUES ('1', '23', make_timestamptz(0), NULL::TIMESTAMPTZ, 1.0::DOUBLE), ('12', '3', make_timestamptz(0), NULL, 2.0))`,
    );
    await materializeDirect(lab.deps, { view: 'readings' });
    const entity = (a: string, b: string) =>
      new Map([
        ['a"b', a],
        ['__proto__', b],
      ]);
    const { rows } = await read({ entities: [entity('12', '3'), entity('1', '23'), entity('123', '')] });
    expect(rows.map(([value]) => value?.value)).toEqual([2, 1, null]);
  });

  it('that are floating-point numbers are refused', async () => {
    await lab.createSource();
    lab.joinKeys = ['v'];
    await expect(materializeDirect(lab.deps, { view: 'readings' })).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
    });
  });
});
