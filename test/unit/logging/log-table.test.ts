/** The log's table: every type of value exactly, and columns that come with new features. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IcebergType } from '../../../iceberg/index.js';
import { sameValueSql } from '../../../logging/comparison-sql.js';
import { type LogDeps, withLoggedFeatures, writeLoggedFeatures } from '../../../logging/index.js';
import { sourceTimeline } from '../../../logging/source-timeline.js';
import type { FeatureValue, OnlineResponse } from '../../../online/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
let deps: LogDeps;
beforeAll(async () => {
  lab = await FeatureLab.open();
  deps = { catalog: lab.catalog, io: lab.io, engine: lab.engine, namespace: ['logs', 'online'] };
});
afterAll(() => lab.close());

interface Value {
  readonly feature: string;
  readonly type: IcebergType;
  readonly value: FeatureValue;
}

/** An answer for one entity. */
function served(values: readonly Value[], requestData?: Readonly<Record<string, string | number | bigint | Date>>) {
  const response: OnlineResponse = {
    features: values.map(({ feature, type }) => ({ name: feature, view: 'v', alias: 'v', feature, type })),
    joinKeys: [{ name: 'id', type: { kind: 'long' } }],
    rows: [values.map(({ value }) => ({ status: 'PRESENT', value, eventTimestampUs: 1n }))],
    snapshots: [{ view: 'v', table: 'moraine_online.v', snapshotId: 2n ** 62n + 1n }],
    nowUs: 0n,
    stalenessMs: 0,
  };
  const data = requestData === undefined ? {} : { requestData: [requestData] };
  return { response, entities: [{ id: 1n }], loggedAtUs: 3n, requestId: 'r', ...data };
}

/** Columns of the log and its rows as text. */
function read(service: string) {
  return withLoggedFeatures(deps, { service }, async ({ connection, schema, select }) => {
    const names = schema.fields.map(({ name }) => name);
    const rows = await connection.rows(`SELECT COLUMNS(*)::VARCHAR FROM (${select})`);
    return rows.map((row) => new Map(names.map((name, index) => [name, row[index]])));
  });
}

describe('the log of a feature service', () => {
  it('keeps every type of value as it was served', async () => {
    const struct: IcebergType = {
      kind: 'struct',
      fields: [{ id: 1, name: 'x', required: false, type: { kind: 'float' } }],
    };
    const list: IcebergType = { kind: 'list', elementId: 1, elementRequired: false, element: { kind: 'int' } };
    const map: IcebergType = {
      kind: 'map',
      keyId: 1,
      key: { kind: 'string' },
      valueId: 2,
      valueRequired: false,
      value: { kind: 'long' },
    };
    const values: readonly (readonly [IcebergType, FeatureValue, string | null])[] = [
      [{ kind: 'boolean' }, true, 'true'],
      [{ kind: 'int' }, -5, '-5'],
      [{ kind: 'long' }, 2n ** 63n - 1n, '9223372036854775807'],
      [{ kind: 'float' }, Math.fround(0.1), '0.1'],
      [{ kind: 'double' }, -0, '-0.0'],
      [{ kind: 'double' }, Number.NaN, 'nan'],
      [{ kind: 'double' }, -Infinity, '-inf'],
      [{ kind: 'decimal', precision: 38, scale: 2 }, -(10n ** 37n), '-100000000000000000000000000000000000.00'],
      [{ kind: 'date' }, -1, '1969-12-31'],
      [{ kind: 'time' }, 1_500_000n, '00:00:01.5'],
      [{ kind: 'timestamp' }, 1n, '1970-01-01 00:00:00.000001'],
      [{ kind: 'timestamptz' }, -1n, '1969-12-31 23:59:59.999999+00'],
      [{ kind: 'string' }, "o'clock\n", "o'clock\n"],
      [{ kind: 'uuid' }, 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 'f79c3e09-677c-4bbd-a479-3f349cb785e7'],
      [{ kind: 'binary' }, new Uint8Array([0, 255]), '\\x00\\xFF'],
      [list, [1, null, 3], '[1, NULL, 3]'],
      [struct, new Map([['x', 0.5]]), "{'x': 0.5}"],
      [map, [['k', 7n]], '{k=7}'],
      [{ kind: 'string' }, null, null],
    ];
    const features = values.map(([type, value], index) => ({ feature: `f${index}`, type, value }));
    await writeLoggedFeatures(deps, 'types', [served(features)]);
    const [row] = await read('types');
    expect(values.map((_, index) => row?.get(`v__f${index}`))).toEqual(values.map(([, , text]) => text));
    expect(row?.get('__snapshot_id__v')).toBe('4611686018427387905');
    expect(row?.get('__log_timestamp')).toBe('1970-01-01 00:00:00.000003+00');
  });

  it('gains columns, promotes types and keeps field ids as the service changes', async () => {
    const a = { feature: 'a', type: { kind: 'int' }, value: 1 } as const;
    await writeLoggedFeatures(deps, 'grows', [served([a])]);
    const before = await lab.table('logs.online.grows_log');
    const wider = { feature: 'a', type: { kind: 'long' }, value: 2n } as const;
    const added = { feature: 'b', type: { kind: 'string' }, value: 'new' } as const;
    await writeLoggedFeatures(deps, 'grows', [served([wider, added], { page: 'home', score: 0.5 })]);
    // Whoever has not noticed yet goes on with the old columns.
    await writeLoggedFeatures(deps, 'grows', [served([{ ...a, value: 3 }])]);
    const rows = await read('grows');
    expect(rows.map((row) => ['v__a', 'v__b', 'page', 'score'].map((name) => row.get(name)))).toEqual(
      expect.arrayContaining([
        ['1', null, null, null],
        ['2', 'new', 'home', '0.5'],
        ['3', null, null, null],
      ]) as unknown,
    );
    expect(rows).toHaveLength(3);
    const after = await lab.table('logs.online.grows_log');
    const idsOf = ({ metadata }: typeof after) =>
      new Map(metadata.schemas.at(-1)?.fields.map(({ name, id }) => [name, id]));
    expect([...idsOf(before)].every(([name, id]) => idsOf(after).get(name) === id)).toBe(true);
  });

  it('has one file for each day of requests', async () => {
    const a = { feature: 'a', type: { kind: 'int' }, value: 1 } as const;
    const day = 86_400_000_000n;
    const at = (nowUs: bigint) => {
      const each = served([a]);
      return { ...each, response: { ...each.response, nowUs } };
    };
    await writeLoggedFeatures(deps, 'days', [at(0n), at(day - 1n), at(day)]);
    const read2 = await withLoggedFeatures(deps, { service: 'days', startUs: day }, ({ connection, select }) =>
      connection.rows(`SELECT count(*) FROM (${select})`),
    );
    expect(read2).toEqual([[1n]]);
    const { metadata } = await lab.table('logs.online.days_log');
    expect(metadata.snapshots[0]?.summary.get('added-data-files')).toBe('2');
  });

  it('refuses what cannot be one table', async () => {
    const twice = [
      { feature: 'a', type: { kind: 'int' }, value: 1 },
      { feature: 'a__status', type: { kind: 'string' }, value: 'x' },
    ] as const;
    expect(await rejectionCode(writeLoggedFeatures(deps, 'refused', [served(twice)]))).toBe('DUPLICATE_NAME');
    expect(await rejectionCode(writeLoggedFeatures(deps, 'refused', [served([], { id: 1n })]))).toBe('DUPLICATE_NAME');
    const few = { ...served([]), entities: [] };
    expect(await rejectionCode(writeLoggedFeatures(deps, 'refused', [few]))).toBe('INVALID_ARGUMENT');
    const noKey = { ...served([]), entities: [{ other: 1 }] };
    expect(await rejectionCode(writeLoggedFeatures(deps, 'refused', [noKey]))).toBe('INVALID_ARGUMENT');
    expect(await rejectionCode(read('refused'))).toBe('TABLE_NOT_FOUND');
  });
});

describe('the same value', () => {
  const DOUBLE: IcebergType = { kind: 'double' };
  const DOUBLES: IcebergType = { kind: 'list', elementId: 1, elementRequired: false, element: DOUBLE };

  it.each([
    [DOUBLE, `'nan'::DOUBLE`, `'nan'::DOUBLE`, true],
    [DOUBLE, `'nan'::DOUBLE`, `'-nan'::DOUBLE`, true],
    [DOUBLE, `'0.0'::DOUBLE`, `'-0.0'::DOUBLE`, false],
    [DOUBLE, `'-0.0'::DOUBLE`, `'-0.0'::DOUBLE`, true],
    [DOUBLE, `'0.1'::DOUBLE`, `0.1::DOUBLE + 2e-17::DOUBLE`, false],
    [{ kind: 'float' }, `'1.5'::FLOAT`, `'1.5'::FLOAT`, true],
    [DOUBLES, `['0.0'::DOUBLE, NULL]`, `['0.0'::DOUBLE, NULL]`, true],
    [DOUBLES, `['0.0'::DOUBLE]`, `['-0.0'::DOUBLE]`, false],
    [DOUBLES, `['nan'::DOUBLE]`, `['nan'::DOUBLE]`, true],
    [{ kind: 'string' }, `'a'`, `'A'`, false],
  ] as const)('%j: %s and %s: %s', async (type, a, b, same) => {
    const sql = `SELECT ${sameValueSql(type, 'a', 'b')} FROM (SELECT ${a} AS a, ${b} AS b)`;
    expect(await lab.engine.withConnection((connection) => connection.rows(sql))).toEqual([[same]]);
  });
});

describe('the timeline of a source', () => {
  it('knows what was current when, and what is not known any more', async () => {
    await lab.createTable('demo.t', { a: 'long' });
    const empty = (await lab.table('demo.t')).metadata;
    expect(sourceTimeline(empty).map(({ state }) => state)).toEqual([null]);
    const first = await lab.append('demo.t', 'SELECT 1');
    const second = await lab.append('demo.t', 'SELECT 2');
    const { metadata } = await lab.table('demo.t');
    expect(sourceTimeline(metadata).map(({ state }) => state)).toEqual([null, first, second]);
    // Expiry drops snapshots and the beginning of the log.
    const expired = { ...metadata, snapshots: metadata.snapshots.slice(1), snapshotLog: metadata.snapshotLog.slice(1) };
    expect(sourceTimeline(expired).map(({ state }) => state)).toEqual(['unknown', second]);
    const together = { ...metadata, snapshotLog: metadata.snapshotLog.map((entry) => ({ ...entry, timestampMs: 1n })) };
    expect(sourceTimeline(together).map(({ state }) => state)).toEqual([null, second]);
  });
});
