import { describe, expect, it } from 'vitest';
import {
  type BoundExpression,
  bindExpression,
  evaluate,
  type IcebergType,
  type PrimitiveValue,
  parseExpression,
  type Schema,
} from '../../../iceberg/index.js';

const TYPES: Readonly<Record<string, IcebergType>> = {
  i: { kind: 'int' },
  l: { kind: 'long' },
  dec: { kind: 'decimal', precision: 9, scale: 2 },
  f: { kind: 'float' },
  d: { kind: 'double' },
  s: { kind: 'string' },
  u: { kind: 'uuid' },
  dt: { kind: 'date' },
  tm: { kind: 'time' },
  ts: { kind: 'timestamp' },
  tz: { kind: 'timestamptz' },
  tn: { kind: 'timestamp_ns' },
  b: { kind: 'binary' },
  fx: { kind: 'fixed', length: 2 },
  bo: { kind: 'boolean' },
  nothing: { kind: 'unknown' },
  'st.x': { kind: 'string' },
};

const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    ...Object.entries(TYPES).map(([name, type], i) => ({ id: i + 1, name, required: false, type })),
    {
      id: 50,
      name: 'st',
      required: true,
      type: {
        kind: 'struct',
        fields: [
          { id: 51, name: 'x', required: true, type: { kind: 'int' } },
          { id: 52, name: 'y', required: false, type: { kind: 'int' } },
        ],
      },
    },
    {
      id: 60,
      name: 'tags',
      required: false,
      type: { kind: 'list', elementId: 61, elementRequired: false, element: { kind: 'int' } },
    },
    { id: 70, name: 'need', required: true, type: { kind: 'int' } },
  ],
};
const idOf = (name: string): number => schema.fields.find((field) => field.name === name)?.id ?? 0;
const bind = (text: string): BoundExpression => bindExpression(parseExpression(text), schema);

/** `op value` of a bound predicate. */
function short(expression: BoundExpression): string {
  if ('literals' in expression) return `${expression.op} ${expression.literals.map(String).join()}`;
  return 'literal' in expression ? `${expression.op} ${String(expression.literal)}` : expression.op;
}

const matches = (text: string, value: PrimitiveValue | null, name: string): boolean =>
  evaluate(bind(text), (id) => (id === idOf(name) ? value : null));

describe('literals become exact values of the column', () => {
  it.each([
    ['i = 2.5', 'false'],
    ['i <> 2.5', 'not-null'],
    ['i < 2.5', 'lt-eq 2'],
    ['i <= 2.5', 'lt-eq 2'],
    ['i > 2.5', 'gt 2'],
    ['i >= 2.5', 'gt 2'],
    ['i > -2.5', 'gt -3'],
    ['i < -2.5', 'lt-eq -3'],
    ['i = 2.50e1', 'eq 25'],
    ['i = 25e-1', 'false'],
    ['i = 3e10', 'false'],
    ['i < 3e10', 'not-null'],
    ['i > 3e10', 'false'],
    ['i > -3e10', 'not-null'],
    ['i <= 1e999999999', 'not-null'],
    ['i >= 1e-999999999', 'gt 0'],
    ['i >= -1e-999999999', 'gt -1'],
    ['i = 2147483647.0', 'eq 2147483647'],
    ['i = 2147483648', 'false'],
    ['l = 9007199254740993', 'eq 9007199254740993'],
    ['l > 9223372036854775807', 'gt 9223372036854775807'],
    ['l > 9223372036854775808', 'false'],
    ['l IN (1, 1.5, 2, 1.0)', 'in 1,2'],
    ['l IN (1.5)', 'false'],
    ['l NOT IN (1.5)', 'not-null'],
    ['l NOT IN (1, NULL)', 'false'],
    ['l IN (1, NULL)', 'eq 1'],
    ['dec = 1.5', 'eq 150'],
    ['dec = 1.555', 'false'],
    ['dec < 1.555', 'lt-eq 155'],
    ['dec > -1.555', 'gt -156'],
    ['dec <= 9999999.99', 'lt-eq 999999999'],
    ['dec <= 10000000', 'not-null'],
    ['d = 0.1', 'eq 0.1'],
    ['f = 0.1', `eq ${Math.fround(0.1)}`],
    ['f < 1e39', 'lt-eq 3.4028234663852886e+38'],
    ['d > 1e400', 'gt 1.7976931348623157e+308'],
    ['d < -1e400', 'lt-eq -Infinity'],
    ["dt = '2001-03-09'", 'eq 11390'],
    ["dt < TIMESTAMP '2001-03-09T00:00:00.1'", 'lt-eq 11390'],
    ["dt < TIMESTAMP '2001-03-09T00:00:00'", 'lt 11390'],
    ["dt = TIMESTAMP '2001-03-09T01:00:00+01:00'", 'eq 11390'],
    ["ts >= DATE '1970-01-02'", 'gt-eq 86400000000'],
    ["ts = '1970-01-01T00:00:00.0000015'", 'false'],
    ["ts < '1970-01-01T00:00:00.0000015'", 'lt-eq 1'],
    ["ts > TIMESTAMP '1969-12-31T23:59:59.9999985'", 'gt -2'],
    ["tz = '1970-01-01 01:00+01'", 'eq 0'],
    ["tn = '1970-01-01T00:00:00.000000001'", 'eq 1'],
    ["tn < '9999-01-01'", 'not-null'],
    ["tm = '00:00:01'", 'eq 1000000'],
    ["tm > TIME '00:00:00.0000001'", 'gt 0'],
    ["u = 'F79C3E09-677c-4bbd-a479-3f349cb785e7'", 'eq f79c3e09-677c-4bbd-a479-3f349cb785e7'],
    ["b = X'0102'", 'eq 1,2'],
    ['bo = TRUE', 'eq true'],
    ['nothing = 5', 'false'],
    ['need IS NULL', 'false'],
    ['need IS NOT NULL', 'true'],
    ['st.y = 5', 'eq 5'],
    ["st.x = 'a column of that name comes first'", 'eq a column of that name comes first'],
    ['st IS NULL', 'false'],
    ['tags IS NULL', 'is-null'],
    ['NOT i < 2', 'gt-eq 2'],
    ['NOT i IS NULL', 'not-null'],
    ['NOT l IN (1, 2)', 'not-in 1,2'],
    ['NOT l NOT IN (1, NULL)', 'eq 1'],
    ['NOT (i = 1 OR i <> 2.5)', 'false'],
    ["NOT s LIKE 'a%'", 'not-starts-with'],
    ['NOT isnan(d)', 'not-nan'],
    ['NOT TRUE', 'false'],
  ])('%s is %s', (text, expected) => {
    expect(short(bind(text))).toBe(expected);
  });

  it.each([
    ["i = '5'", 'TYPE_MISMATCH'],
    ['s = 5', 'TYPE_MISMATCH'],
    ["s = DATE '2001-01-01'", 'TYPE_MISMATCH'],
    ['ts = 5', 'TYPE_MISMATCH'],
    ["ts = 'noon'", 'TYPE_MISMATCH'],
    ["dt = TIME '12:00'", 'TYPE_MISMATCH'],
    ["u = 'no uuid'", 'TYPE_MISMATCH'],
    ["fx = X'00'", 'TYPE_MISMATCH'],
    ['bo = 1', 'TYPE_MISMATCH'],
    ['st = 1', 'TYPE_MISMATCH'],
    ['isnan(i)', 'TYPE_MISMATCH'],
    ["i LIKE 'a%'", 'TYPE_MISMATCH'],
    ['tags.element = 1', 'TYPE_MISMATCH'],
    ['I = 1', 'COLUMN_NOT_FOUND'],
    ['st.z = 1', 'COLUMN_NOT_FOUND'],
  ])('%s is %s', (text, code) => {
    expect(() => bind(text)).toThrow(expect.objectContaining({ code }));
  });
});

describe('evaluate', () => {
  it('lets null satisfy only IS NULL', () => {
    for (const text of [
      'i = 1',
      'i <> 1',
      'NOT i = 1',
      'i < 1',
      'NOT i < 1',
      'i IN (1)',
      'i NOT IN (1)',
      'i <> 2.5',
      'NOT i = 2.5',
      'i IS NOT NULL',
    ]) {
      expect([text, matches(text, null, 'i')]).toEqual([text, false]);
    }
    expect(matches('i IS NULL', null, 'i')).toBe(true);
    expect(matches('NOT isnan(d)', null, 'd')).toBe(false);
  });

  it('puts NaN above every number, zero equal to minus zero, text in code-point order', () => {
    expect(
      ['d > 1e308', 'd >= 5', 'd <> 5', 'NOT d < 5', 'isnan(d)'].map((text) => matches(text, Number.NaN, 'd')),
    ).toEqual([true, true, true, true, true]);
    expect(['d < 5', 'd <= 1e400', 'd = 5', 'NOT isnan(d)'].map((text) => matches(text, Number.NaN, 'd'))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(matches('d = 0', -0, 'd')).toBe(true);
    expect(matches('d < 0', -0, 'd')).toBe(false);
    expect(matches("s > '\uff5e'", '\ud83d\ude00', 's')).toBe(true);
  });
});
