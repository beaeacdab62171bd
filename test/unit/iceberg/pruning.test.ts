import { describe, expect, it } from 'vitest';
import {
  type BoundExpression,
  bindExpression,
  type DataFile,
  type IcebergType,
  type ManifestFile,
  manifestMightMatch,
  mightMatch,
  type PartitionSpec,
  type PrimitiveValue,
  parseExpression,
  parseTransform,
  partitionMightMatch,
  projectInclusive,
  type Schema,
  serializeValue,
} from '../../../iceberg/index.js';

const TYPES: Readonly<Record<string, IcebergType>> = {
  i: { kind: 'int' },
  l: { kind: 'long' },
  d: { kind: 'double' },
  s: { kind: 'string' },
  dt: { kind: 'date' },
  ts: { kind: 'timestamp' },
  dec: { kind: 'decimal', precision: 9, scale: 2 },
  u: { kind: 'uuid' },
};
const NAMES = Object.keys(TYPES);
const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: NAMES.map((name, index) => ({ id: index + 1, name, required: false, type: TYPES[name] as IcebergType })),
};
const bind = (text: string): BoundExpression => bindExpression(parseExpression(text), schema);

interface ColumnStatistics {
  readonly name: string;
  readonly lower?: PrimitiveValue;
  readonly upper?: PrimitiveValue;
  readonly rows?: bigint;
  readonly nulls?: bigint;
  readonly nans?: bigint;
}

function fileWith({ name, lower, upper, rows, nulls, nans }: ColumnStatistics): DataFile {
  const id = NAMES.indexOf(name) + 1;
  const type = TYPES[name] as IcebergType;
  const one = <T>(value: T | undefined): ReadonlyMap<number, T> =>
    value === undefined ? new Map() : new Map([[id, value]]);
  return {
    content: 'data',
    filePath: '/f',
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: 10n,
    fileSizeInBytes: 1n,
    valueCounts: one(rows),
    nullValueCounts: one(nulls),
    nanValueCounts: one(nans),
    lowerBounds: one(lower === undefined ? undefined : serializeValue(type, lower)),
    upperBounds: one(upper === undefined ? undefined : serializeValue(type, upper)),
  };
}

describe('mightMatch', () => {
  const ints = { name: 'i', lower: 10, upper: 20, rows: 10n, nulls: 0n };
  it.each([
    ['i = 9', false],
    ['i = 10', true],
    ['i = 20', true],
    ['i = 21', false],
    ['i = 15.5', false],
    ['i < 10', false],
    ['i < 10.5', true],
    ['i <= 10', true],
    ['i > 20', false],
    ['i > 19.5', true],
    ['i >= 20', true],
    ['i >= 20.5', false],
    ['i <> 15', true],
    ['i IN (1, 2, 30)', false],
    ['i IN (1, 12)', true],
    ['i NOT IN (12)', true],
    ['i IS NULL', false],
    ['i IS NOT NULL', true],
    ['i < 10 OR i > 20', false],
    ['i < 15 AND i > 12', true],
    ['NOT (i >= 10)', false],
    ['l = 5', true],
  ])('ints from 10 to 20 without null: %s is %s', (text, expected) => {
    expect(mightMatch(bind(text), fileWith(ints))).toBe(expected);
  });

  it.each([
    ['i = 15', false],
    ['i <> 15', false],
    ['i IS NULL', true],
    ['i IS NOT NULL', false],
    ['i NOT IN (3)', false],
  ])('only nulls: %s is %s', (text, expected) => {
    expect(mightMatch(bind(text), fileWith({ name: 'i', rows: 10n, nulls: 10n }))).toBe(expected);
  });

  const text = { name: 's', lower: 'ab', upper: 'ad' };
  it.each([
    ["s LIKE 'aa%'", false],
    ["s LIKE 'a%'", true],
    ["s LIKE 'ab%'", true],
    ["s LIKE 'abzzz%'", true],
    ["s LIKE 'ae%'", false],
    ["s LIKE 'b%'", false],
    ["s NOT LIKE 'a%'", false],
    ["s NOT LIKE 'ab%'", true],
    ["s = 'abz'", true],
    ["s > 'ad'", false],
  ])('text from ab to ad (perhaps truncated): %s is %s', (expression, expected) => {
    expect(mightMatch(bind(expression), fileWith(text))).toBe(expected);
  });

  it('prunes by an upper bound only when the file is known to hold no NaN', () => {
    const doubles = { name: 'd', lower: 1, upper: 2, rows: 10n, nulls: 0n };
    const judge = (expression: string, nans?: bigint): boolean =>
      mightMatch(bind(expression), fileWith({ ...doubles, ...(nans === undefined ? {} : { nans }) }));
    expect([judge('d > 5'), judge('d > 5', 3n), judge('d > 5', 0n)]).toEqual([true, true, false]);
    expect([judge('d >= 5'), judge('d >= 5', 0n)]).toEqual([true, false]);
    expect([judge('d < 1'), judge('d < 1', 3n)]).toEqual([false, false]);
    expect([judge('isnan(d)'), judge('isnan(d)', 0n), judge('NOT isnan(d)', 10n)]).toEqual([true, false, false]);
    expect([judge('d = 1.5', 10n), judge('d < 1.5', 10n), judge('d > 1.5', 10n)]).toEqual([false, false, true]);
  });

  it('judges nothing by bounds that are NaN or of another length', () => {
    expect(mightMatch(bind('d < 0'), fileWith({ name: 'd', lower: Number.NaN, upper: 5, nans: 0n }))).toBe(true);
    const odd: DataFile = { ...fileWith({ name: 'i' }), lowerBounds: new Map([[1, Uint8Array.of(1, 2, 3)]]) };
    expect(mightMatch(bind('i < -5'), odd)).toBe(true);
    const cut: DataFile = { ...fileWith({ name: 's' }), lowerBounds: new Map([[4, Uint8Array.of(0x7a, 0xe2, 0x82)]]) };
    expect(mightMatch(bind("s < 'a'"), cut)).toBe(true);
  });

  it('reads the int bounds of a column that is a long now', () => {
    const promoted: DataFile = {
      ...fileWith({ name: 'l' }),
      lowerBounds: new Map([[2, Uint8Array.of(0xfb, 0xff, 0xff, 0xff)]]),
      upperBounds: new Map([[2, Uint8Array.of(5, 0, 0, 0)]]),
    };
    expect(['l < -5', 'l < -4', 'l > 5', 'l > 4'].map((expression) => mightMatch(bind(expression), promoted))).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  it('takes -0 and 0 for the same bound', () => {
    const zeros = fileWith({ name: 'd', lower: 0, upper: -0, nans: 0n });
    expect(
      ['d = 0', 'd >= 0', 'd <= 0', 'd < 0', 'd > 0'].map((expression) => mightMatch(bind(expression), zeros)),
    ).toEqual([true, true, true, false, false]);
  });
});

function specOf(column: string, transform: string): PartitionSpec {
  return {
    specId: 0,
    fields: [{ sourceId: NAMES.indexOf(column) + 1, fieldId: 1000, name: 'p', transform: parseTransform(transform) }],
  };
}

/** The projection as `op literal`. */
function project(expression: string, transform: string): string {
  const [column = ''] = NAMES.filter((name) => expression.startsWith(`${name} `));
  const projected = projectInclusive(bind(expression), specOf(column, transform));
  if ('literals' in projected) return `${projected.op} ${projected.literals.join()}`;
  return 'literal' in projected ? `${projected.op} ${String(projected.literal)}` : projected.op;
}

describe('projectInclusive', () => {
  it.each([
    ['i = 5', 'identity', 'eq 5'],
    ['i <> 5', 'identity', 'not-eq 5'],
    ['i IS NULL', 'identity', 'is-null'],
    // bucket[16] of 34 is the specification's hash 2017239379 modulo 16.
    ['i = 34', 'bucket[16]', 'eq 3'],
    ['i > 34', 'bucket[16]', 'not-null'],
    ['i <> 34', 'bucket[16]', 'not-null'],
    ['i IS NULL', 'bucket[16]', 'is-null'],
    ['i = 15', 'truncate[10]', 'eq 10'],
    ['i > 9', 'truncate[10]', 'gt-eq 10'],
    ['i >= 9', 'truncate[10]', 'gt-eq 0'],
    ['i > -2147483648', 'truncate[10]', 'not-null'],
    ['dec < 1.00', 'truncate[50]', 'lt-eq 50'],
    ['dec <= 1.00', 'truncate[50]', 'lt-eq 100'],
    ["s = 'abcdef'", 'truncate[3]', 'eq abc'],
    ["s < 'abc'", 'truncate[3]', 'lt-eq abc'],
    ["s LIKE 'ab%'", 'truncate[3]', 'starts-with'],
    ["s LIKE 'abc%'", 'truncate[3]', 'eq abc'],
    ["s LIKE 'abcd%'", 'truncate[3]', 'eq abc'],
    ["s NOT LIKE 'abc%'", 'truncate[3]', 'not-eq abc'],
    ["s NOT LIKE 'abcd%'", 'truncate[3]', 'not-null'],
    ["ts >= '2001-03-01'", 'month', 'gt-eq 374'],
    ["ts > '2001-02-28T23:59:59.999999'", 'month', 'gt-eq 374'],
    ["ts < '2001-03-01'", 'month', 'lt-eq 373'],
    ["ts <= '2001-03-01'", 'month', 'lt-eq 374'],
    ["ts = '2001-03-01T05:00'", 'day', 'eq 11382'],
    ["ts = '2001-03-01T05:00'", 'year', 'eq 31'],
    ["ts IN ('2001-03-01T05:00', '2001-03-01T05:59')", 'hour', 'eq 273173'],
    ["dt = '1969-12-31'", 'day', 'eq -1'],
    // Early writers rounded these up to -1 + 1.
    ["ts = '1969-12-31T05:00'", 'day', 'in -1,0'],
    ["ts < '1969-12-31'", 'day', 'lt-eq -1'],
    ["ts = '2001-03-01'", 'void', 'true'],
    ["ts = '2001-03-01'", 'zorder[3]', 'true'],
  ])('%s through %s is %s', (expression, transform, expected) => {
    expect(project(expression, transform)).toBe(expected);
  });

  it('keeps the lowest ints, whose truncation wraps round to the highest', () => {
    const projected = projectInclusive(bind('i < -2147483000'), specOf('i', 'truncate[10]'));
    // 2147483646 is -2147483648 - 2 in 32 bits, 10 being no divisor of -2147483648: the tuple of i = -2147483648.
    expect(partitionMightMatch(projected, [2147483646], specOf('i', 'truncate[10]'))).toBe(true);
    expect(partitionMightMatch(projected, [0], specOf('i', 'truncate[10]'))).toBe(false);
  });

  it('leaves out what another spec does not partition by, and joins two fields of one column', () => {
    expect(projectInclusive(bind('l = 5'), specOf('i', 'identity'))).toEqual({ op: 'true' });
    expect(projectInclusive(bind('l = 5 OR i = 3'), specOf('i', 'identity'))).toEqual({ op: 'true' });
    const both: PartitionSpec = {
      specId: 0,
      fields: [
        ...specOf('i', 'truncate[10]').fields,
        { sourceId: 1, fieldId: 1001, name: 'q', transform: parseTransform('bucket[16]') },
      ],
    };
    const projected = projectInclusive(bind('i = 34'), both);
    expect(
      [
        [30, 3],
        [30, 4],
        [20, 3],
        [null, 3],
      ].map((tuple) => partitionMightMatch(projected, tuple, both)),
    ).toEqual([true, false, false, false]);
  });
});

/** Uuids whose halves have both signs, by bytes. */
const UUIDS = ['0', '7', '8', 'f'].flatMap((high) =>
  ['0', '7', '8', 'f'].map((low) => `${high}0000000-0000-4000-${low}000-000000000001`),
);
/** Their order as two signed numbers, as Java has it. */
const SIGNED = UUIDS.toSorted((a, b) => {
  const half = (text: string): bigint => BigInt.asIntN(64, BigInt(`0x${text}`));
  const [left, right] = [a, b].map((uuid) => uuid.replaceAll('-', ''));
  for (const [from, to] of [
    [0, 16],
    [16, 32],
  ]) {
    const [one, other] = [half((left ?? '').slice(from, to)), half((right ?? '').slice(from, to))];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
});

describe('bounds of uuids', () => {
  it.each([
    ['bytes', UUIDS],
    ['two signed numbers', SIGNED],
  ])('in the order of %s never rule out a value between them', (_, order) => {
    for (const [from, lower] of order.entries()) {
      for (const [to, upper] of order.entries()) {
        const file = fileWith({ name: 'u', lower, upper, rows: 10n, nulls: 0n });
        for (const uuid of to < from ? [] : order.slice(from, to + 1)) {
          const judged = ['=', '>=', '<='].map((op) => mightMatch(bind(`u ${op} '${uuid}'`), file));
          expect([lower, uuid, upper, ...judged]).toEqual([lower, uuid, upper, true, true, true]);
        }
      }
    }
  });

  it('rule out what is beyond their first halves', () => {
    const file = fileWith({ name: 'u', lower: UUIDS[5] ?? '', upper: UUIDS[6] ?? '', rows: 10n, nulls: 0n });
    expect(UUIDS.map((uuid) => mightMatch(bind(`u = '${uuid}'`), file))).toEqual(
      UUIDS.map((uuid) => uuid.startsWith('7')),
    );
  });
});

describe('manifestMightMatch', () => {
  const manifest = (partitions?: ManifestFile['partitions']): ManifestFile => ({
    manifestPath: '/m',
    manifestLength: 1n,
    partitionSpecId: 0,
    content: 'data',
    sequenceNumber: 1n,
    minSequenceNumber: 1n,
    addedSnapshotId: 1n,
    ...(partitions === undefined ? {} : { partitions }),
  });
  const judge = (expression: string, column: string, partitions?: ManifestFile['partitions']): boolean => {
    const spec = specOf(column, 'identity');
    return manifestMightMatch(projectInclusive(bind(expression), spec), manifest(partitions), spec);
  };
  const from10to20 = {
    containsNull: false,
    lowerBound: serializeValue({ kind: 'int' }, 10),
    upperBound: serializeValue({ kind: 'int' }, 20),
  };

  it('prunes by summaries and reads every manifest without them', () => {
    expect(
      ['i = 9', 'i = 10', 'i > 20', 'i IS NULL', 'i IS NOT NULL'].map((text) => judge(text, 'i', [from10to20])),
    ).toEqual([false, true, false, false, true]);
    expect(judge('i = 9', 'i')).toBe(true);
    expect(judge('i = 9', 'i', [from10to20, from10to20])).toBe(true);
    expect(['i = 9', 'i IS NULL', 'i IS NOT NULL'].map((text) => judge(text, 'i', [{ containsNull: true }]))).toEqual([
      false,
      true,
      false,
    ]);
  });

  it('takes a summary that does not say whether there is NaN for one that may have it', () => {
    const doubles = {
      containsNull: false,
      lowerBound: serializeValue({ kind: 'double' }, 1),
      upperBound: serializeValue({ kind: 'double' }, 2),
    };
    expect(
      [undefined, true, false].map((containsNan) =>
        judge('d > 5', 'd', [{ ...doubles, ...(containsNan === undefined ? {} : { containsNan }) }]),
      ),
    ).toEqual([true, true, false]);
    expect(judge('d > 5', 'd', [{ containsNull: true }])).toBe(true);
  });
});
