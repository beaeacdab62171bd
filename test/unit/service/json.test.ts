import fc from 'fast-check';
import { LosslessNumber } from 'lossless-json';
import { describe, expect, it } from 'vitest';
import { type IcebergType, parseType } from '../../../iceberg/index.js';
import type { Column, FeatureValue, FoundRows, FoundView, OnlineRow } from '../../../online/index.js';
import type { Numbers } from '../../../online/parts/column.js';
import { answerJson } from '../../../service/answer-json.js';
import { columnWriter } from '../../../service/column-json.js';
import { parseExactJson } from '../../../service/exact-json.js';
import { featureValueOfJson } from '../../../service/feature-value-json.js';
import { type HistoricalBody, retrievalOfBody } from '../../../service/historical-body.js';
import { JsonBytes } from '../../../service/json-bytes.js';
import { keyValueOfJson } from '../../../service/key-value-json.js';
import { readOnlineBody } from '../../../service/online-body.js';
import { parseMinSnapshots, tableSnapshotHeaders, viewSnapshotHeaders } from '../../../service/snapshot-headers.js';
import { TimeWriter } from '../../../service/time-json.js';
import { valueWriter } from '../../../service/value-json.js';

const type = (text: string): IcebergType => parseType(text);
const map = (entries: readonly (readonly [string, FeatureValue])[]): FeatureValue => new Map(entries);

describe('a feature value in JSON', () => {
  const struct: IcebergType = {
    kind: 'struct',
    fields: [
      { id: 1, name: 'a"', required: false, type: type('long') },
      { id: 2, name: 'b', required: false, type: type('string') },
    ],
  };
  const list: IcebergType = { kind: 'list', elementId: 1, elementRequired: false, element: type('double') };
  const mapOf = (key: string): IcebergType => ({
    kind: 'map',
    keyId: 1,
    key: type(key),
    valueId: 2,
    valueRequired: false,
    value: type('long'),
  });
  it.each<[IcebergType, FeatureValue, string]>([
    [type('boolean'), false, 'false'],
    [type('int'), -7, '-7'],
    [type('long'), 9_223_372_036_854_775_807n, '9223372036854775807'],
    [type('float'), Math.fround(0.1), '0.10000000149011612'],
    [type('double'), 5, '5.0'],
    [type('double'), -0, '-0.0'],
    [type('double'), 1e20, '100000000000000000000.0'],
    [type('double'), 1e21, '1e+21'],
    [type('double'), 1e-7, '1e-7'],
    [type('double'), Number.NaN, '"NaN"'],
    [type('double'), Number.POSITIVE_INFINITY, '"Infinity"'],
    [type('double'), Number.NEGATIVE_INFINITY, '"-Infinity"'],
    [type('decimal(38, 2)'), 12_345_678_901_234_567_890n, '"123456789012345678.90"'],
    [type('decimal(9, 0)'), -5n, '"-5"'],
    [type('date'), -1, '-86400'],
    [type('time'), 1_500_000n, '"00:00:01.500000"'],
    [type('timestamp'), 1_999_999n, '1'],
    [type('timestamptz'), -1n, '-1'],
    [type('timestamptz'), -2_000_000n, '-2'],
    [type('timestamptz_ns'), 3_999_999_999n, '3'],
    [type('string'), 'a"\u2028\n', '"a\\"\u2028\\n"'],
    [type('uuid'), '00000000-0000-0000-0000-000000000001', '"00000000-0000-0000-0000-000000000001"'],
    [type('binary'), new Uint8Array([0, 255]), '"AP8="'],
    [list, [1, null, 0.5], '[1.0,null,0.5]'],
    [list, [], '[]'],
    [struct, map([['b', 'x']]), '{"a\\"":null,"b":"x"}'],
    [mapOf('string'), [['k', 9_007_199_254_740_993n]], '{"k":9007199254740993}'],
    [mapOf('int'), [[1, null]], '{"1":null}'],
  ])('number %#', (of, value, json) => {
    expect(valueWriter(of)(value)).toBe(json);
  });
});

describe('the value of a join key from JSON', () => {
  it.each<[string, string, unknown]>([
    ['long', '9007199254740993', 9_007_199_254_740_993n],
    ['long', '-9223372036854775808', -9_223_372_036_854_775_808n],
    ['long', '9223372036854775808', undefined],
    ['int', '2147483647', 2_147_483_647],
    ['int', '2147483648', undefined],
    ['int', '1.5', undefined],
    ['int', '"1"', undefined],
    ['string', '1', undefined],
    ['boolean', 'true', true],
    ['decimal(38, 2)', '123456789012345678.91', 12_345_678_901_234_567_891n],
    ['decimal(38, 2)', '12345678901234567890', 1_234_567_890_123_456_789_000n],
    ['decimal(9, 2)', '1.5', 150n],
    ['decimal(9, 2)', '"1.5"', 150n],
    ['decimal(9, 2)', '1.555', undefined],
    ['decimal(9, 2)', '"9999999.99"', 999_999_999n],
    ['decimal(9, 2)', '"-10000000.00"', undefined],
    ['decimal(9, 2)', '12345678.90', undefined],
    ['decimal(9, 2)', '12345678', undefined],
    ['timestamptz', '-1', -1_000_000n],
    ['timestamptz', '"1970-01-01T00:00:01.5Z"', 1_500_000n],
    ['timestamptz', '1.5', undefined],
    ['timestamptz', '9223372036855', undefined],
    ['date', '86400', 1],
    ['date', '86401', undefined],
    ['date', '185542587100800', 2 ** 31 - 1],
    ['date', '185542587187200', undefined],
    ['date', '1772323200000000', undefined],
    ['date', '"1970-01-03"', 2],
    ['time', '5', undefined],
    ['binary', '"AP8="', new Uint8Array([0, 255])],
    ['binary', '"AP8"', undefined],
    ['fixed[3]', '"AP8="', undefined],
    ['uuid', '"nope"', undefined],
  ])('%s: %s', (of, json, value) => {
    expect(keyValueOfJson(type(of), parseExactJson(Buffer.from(json)))).toEqual(value);
  });
});

describe('a feature value from JSON', () => {
  const list = (element: string): IcebergType => {
    return { kind: 'list', elementId: 1, elementRequired: false, element: type(element) };
  };
  const mapOf = (key: string, value: IcebergType = type('long')): IcebergType => {
    return { kind: 'map', keyId: 1, key: type(key), valueId: 2, valueRequired: false, value };
  };
  const struct: IcebergType = {
    kind: 'struct',
    fields: [
      { id: 1, name: 'a', required: false, type: type('long') },
      { id: 2, name: 'b', required: false, type: mapOf('string', type('string')) },
    ],
  };
  const [none, nan, infinite] = [undefined, Number.NaN, Number.POSITIVE_INFINITY];
  /** JSON text of a text. */
  const quoted = (text: string): string => JSON.stringify(text);
  it.each<[string | IcebergType, string, FeatureValue | undefined]>([
    // The largest float, the last double that is rounded to it, and the first that is not (IEEE 754, 4.3.1).
    ['float', '3.4028234663852886e38', 3.4028234663852886e38],
    ['float', '3.4028235677973362e38', 3.4028234663852886e38],
    ['float', '3.4028235677973366e38', none],
    ['float', '-1e39', none],
    ['float', '1e-46', 0],
    ['float', '-1e-46', -0],
    ['float', '16777217', 16_777_216],
    ['float', '"Infinity"', infinite],
    ['float', '"0.5"', none],
    ['double', '1e400', none],
    ['double', '1.0000000000000000e400', none],
    ['double', '-1e-400', -0],
    ['double', '0.1000000000000000055511151231257827', 0.1],
    ['double', '9007199254740993', 9_007_199_254_740_992],
    ['double', '"NaN"', nan],
    ['double', '"-Infinity"', -infinite],
    ['double', '"nan"', none],
    ['double', 'true', none],
    ['decimal(4, 2)', '99.99', 9_999n],
    ['decimal(4, 2)', '-99.990', -9_999n],
    ['decimal(4, 2)', '100', none],
    ['decimal(4, 2)', '-100', none],
    ['decimal(4, 2)', '9.999', none],
    ['decimal(4, 2)', '"99.99"', 9_999n],
    ['decimal(4, 2)', '"1e1"', 1_000n],
    ['decimal(4, 2)', '"NaN"', none],
    ['decimal(4, 2)', '""', none],
    ['decimal(9, 7)', '0.0000001', 1n],
    ['decimal(38, 0)', '1e22', 10n ** 22n],
    ['decimal(38, 0)', '99999999999999999999999999999999999999', 10n ** 38n - 1n],
    ['decimal(38, 0)', '-100000000000000000000000000000000000000', none],
    ['decimal(38, 2)', '1234567890123456.70', 123_456_789_012_345_670n],
    ['boolean', '1', none],
    ['boolean', '"true"', none],
    ['int', '1.0', 1],
    ['int', '2147483648', none],
    ['long', '-9223372036854775808', -(2n ** 63n)],
    ['long', '"NaT"', none],
    ['long', '1.5', none],
    ['string', '"\\ud83d\\ude00"', '😀'],
    ['string', '"\\ud83d"', none],
    ['string', '"\\ude00\\ud83d"', none],
    ['string', '5', none],
    ['uuid', '"F79C3E09-677C-4BBD-A479-3F349CB785E7"', 'f79c3e09-677c-4bbd-a479-3f349cb785e7'],
    ['binary', '""', new Uint8Array()],
    ['binary', '"_w=="', none],
    ['fixed[2]', '"AP8="', new Uint8Array([0, 255])],
    ['fixed[3]', '"AP8="', none],
    ['fixed[1]', '"AP8="', none],
    ['date', '"1969-12-31"', -1],
    ['date', '"1970-01-02T00:00:00"', 1],
    ['date', '"1970-01-02 00:00:00.000000"', 1],
    ['date', '"1970-01-02T00:00:01"', none],
    ['date', '"NaT"', null],
    ['date', '-9223372036854775808', null],
    ['time', '"23:59:59.999999"', 86_399_999_999n],
    ['time', '"24:00:00"', none],
    ['timestamp', '-9223372036854775808', null],
    ['timestamp', '"NaT"', null],
    ['timestamp', '"1970-01-01T00:00:00.000001"', 1n],
    ['timestamp', '"1970-01-01T01:00:00+01:00"', 0n],
    ['timestamp', '"1970-01-01T00:00:00.0000001"', none],
    ['timestamptz', '"1970-01-01T00:00:01"', 1_000_000n],
    ['timestamptz', '9223372036854', 9_223_372_036_854_000_000n],
    ['timestamptz', '9223372036855', none],
    ['timestamptz', '-9223372036855', none],
    ['timestamp_ns', '5', 5_000_000_000n],
    ['timestamp_ns', '9223372036', 9_223_372_036_000_000_000n],
    ['timestamp_ns', '9223372037', none],
    ['timestamp_ns', '-9223372036854775808', null],
    ['timestamp_ns', '"1970-01-01T00:00:00.000000001"', 1n],
    ['timestamp_ns', '"1970-01-01T01:00:00.000000001+01:00"', 1n],
    ['timestamptz_ns', '"NaT"', null],
    ['timestamptz_ns', '"1970-01-01T00:00:00.000000001Z"', 1n],
    ['timestamptz_ns', '"1970-01-01T00:00:00.000000001"', 1n],
    ['timestamptz_ns', '"1970-01-01T00:00:00.0000000001Z"', none],
    ['timestamptz_ns', '"2300-01-01T00:00:00Z"', none],
    [list('double'), '[1, null, "NaN"]', [1, null, nan]],
    [list('double'), '[1, "x"]', none],
    [list('double'), quoted('[1]'), none],
    [list('timestamptz'), '["NaT", 1]', [null, 1_000_000n]],
    [
      struct,
      '{"b": {"x": "y"}, "a": 9007199254740993}',
      map([
        ['a', 2n ** 53n + 1n],
        ['b', [['x', 'y']]],
      ]),
    ],
    [
      struct,
      '{}',
      map([
        ['a', null],
        ['b', null],
      ]),
    ],
    [
      struct,
      quoted('{"a": 1, "b": "{\\"x\\": null}"}'),
      map([
        ['a', 1n],
        ['b', [['x', null]]],
      ]),
    ],
    [struct, '{"a": 1, "c": 1}', none],
    [struct, '{"a": "1"}', none],
    [struct, '{"__proto__": {"a": 1}}', none],
    [struct, '[1, {}]', none],
    [struct, '1.00000000000000001', none],
    [struct, quoted('null'), none],
    [struct, quoted('{"a": '), none],
    // A text with a lone surrogate has no UTF-8, whether or not it is JSON in itself.
    [struct, quoted('{"b": {"x": "\ud83d"}}'), none],
    [struct, quoted('{"b": {"x": "\\ud83d"}}'), none],
    [
      mapOf('string'),
      '{"x": 1, "__proto__": 2}',
      [
        ['x', 1n],
        ['__proto__', 2n],
      ],
    ],
    [
      mapOf('string'),
      '[["x", 1], ["y", null]]',
      [
        ['x', 1n],
        ['y', null],
      ],
    ],
    [mapOf('string'), quoted('{"1": 9007199254740993}'), [['1', 2n ** 53n + 1n]]],
    [mapOf('string'), '{"\\ud83d": 1}', none],
    [mapOf('string'), '{"\\"\\ud83d\\"": 1}', none],
    [mapOf('string'), '[["x"]]', none],
    [mapOf('string'), '[[null, 1]]', none],
    [mapOf('string'), '{"x": "1"}', none],
    [mapOf('int'), '{"-7": 1}', [[-7, 1n]]],
    [mapOf('int'), '{"x": 1}', none],
    [mapOf('int'), '{"1.5": 1}', none],
    [mapOf('long'), '{"9007199254740993": 1}', [[2n ** 53n + 1n, 1n]]],
    [
      mapOf('boolean'),
      '{"true": 1, "false": 2}',
      [
        [true, 1n],
        [false, 2n],
      ],
    ],
    [
      mapOf('double'),
      '{"1.5": 1, "Infinity": 2}',
      [
        [1.5, 1n],
        [infinite, 2n],
      ],
    ],
    [mapOf('decimal(4, 2)'), '{"1.50": 1}', [[150n, 1n]]],
    [mapOf('decimal(4, 2)'), '{"100.00": 1}', none],
    [
      mapOf('date'),
      '{"86400": 1, "1970-01-03": 2}',
      [
        [1, 1n],
        [2, 2n],
      ],
    ],
    [
      mapOf('timestamptz'),
      '{"1": 1, "1970-01-01T00:00:02Z": 2}',
      [
        [1_000_000n, 1n],
        [2_000_000n, 2n],
      ],
    ],
    [mapOf('timestamptz'), '{"NaT": 1}', none],
    [mapOf('uuid'), '{"00000000-0000-0000-0000-000000000001": 1}', [['00000000-0000-0000-0000-000000000001', 1n]]],
    [mapOf('binary'), '{"AP8=": 1}', [[new Uint8Array([0, 255]), 1n]]],
    // Keys of a map are told apart by their values.
    [mapOf('int'), '{"1": 1, "1.0": 2}', none],
    [mapOf('string'), '[["x", 1], ["x", 1]]', none],
    [mapOf('binary'), '[["AP8=", 1], ["AP8=", 2]]', none],
  ])('%j: %s', (of, json, value) => {
    const parsed = parseExactJson(Buffer.from(json));
    expect(featureValueOfJson(typeof of === 'string' ? type(of) : of, parsed)).toEqual(value);
    expect(featureValueOfJson(typeof of === 'string' ? type(of) : of, null)).toBe(null);
  });
});

describe('JSON of a request', () => {
  it('keeps every digit', () => {
    const parsed = parseExactJson(Buffer.from('[1, 9007199254740993, 1234567890.123456789, 1e3]'));
    expect(parsed).toEqual([1, 9_007_199_254_740_993n, new LosslessNumber('1234567890.123456789'), 1000]);
  });

  it.each([
    ['{"a": NaN}', /^The body is not JSON: .*JSON has no NaN and no Infinity, write null\.$/],
    ['{"a": [1', /^The body is not JSON: /],
    ['', /^The body is not JSON: /],
    [`${'['.repeat(100_000)}1111111111111111`, /it is nested too deeply\.$/],
    [Buffer.from([0x22, 0xff, 0x22]), /^The body is not JSON: it is not UTF-8\.$/],
  ])('that is malformed is refused: %j', (text, message) => {
    expect(() => parseExactJson(Buffer.from(text as string))).toThrow(message);
  });
});

describe('the body of an online read', () => {
  it('becomes rows; further columns stay', () => {
    const body = { entities: { a: [1, 2], b: ['x', null] }, feature_service: 's', full_feature_names: true };
    expect(readOnlineBody(body, 2).request).toEqual({
      entities: [
        { a: 1, b: 'x' },
        { a: 2, b: null },
      ],
      service: 's',
      fullFeatureNames: true,
    });
    expect(readOnlineBody({ entities: {}, features: ['v:f'] }, 2).request.entities).toEqual([{}]);
  });

  it.each([
    [{ entities: { a: [1, 2], b: [1] }, features: ['v:f'] }, "'a' has 2 values, 'b' has 1."],
    [{ entities: { a: [1, 2, 3] }, features: ['v:f'] }, 'The request has 3 entities, and may have 2'],
    [{ entities: { a: [1] } }, "The body has none of 'features' and 'feature_service'"],
    [{ entities: { a: [1] }, features: [] }, "The body has none of 'features' and 'feature_service'"],
    [{ entities: { a: [1] }, features: ['v:f'], feature_service: 's' }, "The body has both of 'features'"],
    [{ entities: JSON.parse('{"__proto__": [1]}') as object, features: ['v:f'] }, "have a column '__proto__'"],
  ])('%j is refused', (body, message) => {
    expect(() => readOnlineBody(body as never, 2)).toThrow(message);
  });
});

describe('an answer', () => {
  it('has the join keys first, and the event times of each view', () => {
    const row = (us: bigint, ...values: readonly FeatureValue[]): OnlineRow => ({ eventTimestampUs: us, values });
    const view = (
      names: readonly string[],
      rows: readonly (OnlineRow | undefined)[],
      ttlUs: bigint | null,
    ): FoundView => ({
      features: names.map((name, place) => ({ id: place, name, required: false, type: type('int') })),
      places: names.map((_, place) => place),
      moment: { nowUs: 10_000_000n, ttlUs, includeExpired: false },
      rowOf: (place) => rows[place],
      valuesOf: () => [],
    });
    const feature = (name: string, of: string) => ({ name, view: of, alias: of, feature: name, type: type('int') });
    const found: FoundRows = {
      joinKeys: [{ name: 'k', type: type('long') }],
      features: [feature('a', 'v'), feature('b', 'v'), feature('c', 'w')],
      entities: 2,
      views: [
        view(['a', 'b'], [row(1_500_000n, 1, null), undefined], null),
        view(['c'], [row(2_000_000n, 3), row(1_999_999n, 4)], 8_000_000n),
      ],
      snapshots: [],
      nowUs: 0n,
      stalenessMs: 0,
    };
    const columns = new Map([['k', [9_007_199_254_740_993n, null]]]);
    const epoch = '"1970-01-01T00:00:00Z"';
    const v = `"event_timestamps":["1970-01-01T00:00:01.500Z",${epoch}]}`;
    expect(answerJson(found, { columns, withViews: true }).toString()).toBe(
      `{"metadata":{"feature_names":["k","a","b","c"],"feature_view_metadata":[{"name":"v"},{"name":"w"}]},"results":[` +
        `{"values":[9007199254740993,null],"statuses":["PRESENT","PRESENT"],"event_timestamps":[${epoch},${epoch}]},` +
        `{"values":[1,null],"statuses":["PRESENT","NOT_FOUND"],${v},{"values":[null,null],"statuses":["NULL_VALUE","NOT_FOUND"],${v},` +
        `{"values":[3,null],"statuses":["PRESENT","OUTSIDE_MAX_AGE"],"event_timestamps":["1970-01-01T00:00:02Z","1970-01-01T00:00:01.999999Z"]}]}`,
    );
  });

  const time = (us: bigint): string => {
    const out = new JsonBytes();
    new TimeWriter(out).write(us);
    return out.finish().toString();
  };

  it.each([
    [0n, '1970-01-01T00:00:00Z'],
    [1_500_000n, '1970-01-01T00:00:01.500Z'],
    [1_000_001n, '1970-01-01T00:00:01.000001Z'],
    [-1n, '1969-12-31T23:59:59.999999Z'],
    [9_223_372_036_854_775_807n, '+294247-01-10T04:00:54.775807Z'],
  ])('has the event time %s as Feast writes it', (us, text) => {
    expect(time(us)).toBe(JSON.stringify(text));
  });

  it('has the event times of Date, to the millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: -9_007_199_254_740, max: 9_007_199_254_740 }), (ms) => {
        expect(time(BigInt(ms) * 1000n)).toBe(JSON.stringify(new Date(ms).toISOString().replace('.000Z', 'Z')));
      }),
    );
  });
});

describe('a decoded value in JSON', () => {
  const fixed = (values: Numbers, width = 1): Column => ({ storage: 'fixed', values, width, validity: null });
  /** What is written of the second of two rows, after other text. */
  const written = (of: IcebergType, column: Column): string => {
    const out = new JsonBytes();
    out.ascii('<');
    columnWriter(of)(out, column, 1);
    return out.finish().toString().slice(1);
  };
  /** Doubles as data has them: few decimals, whole numbers, any bits. */
  const double = fc.oneof(
    fc.double(),
    fc.integer().map(Number),
    fc.tuple(fc.integer(), fc.integer({ min: 1, max: 6 })).map(([digits, places]) => Number(`${digits}e-${places}`)),
  );

  it('is that of the value itself, for doubles and floats', () => {
    fc.assert(
      fc.property(double, (value) => {
        expect(written(type('double'), fixed(Float64Array.of(0, value)))).toBe(valueWriter(type('double'))(value));
        const float = Math.fround(value);
        expect(written(type('float'), fixed(Float32Array.of(0, float)))).toBe(valueWriter(type('float'))(float));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is that of the value itself, for integers and decimals', () => {
    const long = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer().map(BigInt));
    fc.assert(
      fc.property(long, fc.integer(), fc.integer({ min: 0, max: 18 }), (value, int, scale) => {
        expect(written(type('long'), fixed(BigInt64Array.of(0n, value)))).toBe(String(value));
        expect(written(type('int'), fixed(Int32Array.of(0, int)))).toBe(String(int));
        const decimal = type(`decimal(38, ${scale})`);
        const halves = BigInt64Array.of(0n, 0n, value, value < 0n ? -1n : 0n);
        expect(written(decimal, fixed(halves, 2))).toBe(valueWriter(decimal)(value));
        const wide = (BigInt(int) << 64n) | BigInt.asUintN(64, value);
        expect(written(decimal, fixed(BigInt64Array.of(0n, 0n, value, BigInt(int)), 2))).toBe(
          valueWriter(decimal)(wide),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it('is that of the value itself, for texts', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string()), (text) => {
        const data = Buffer.from(`é${text}`);
        const column: Column = { storage: 'bytes', data, offsets: Int32Array.of(0, 2, data.length), validity: null };
        expect(written(type('string'), column)).toBe(JSON.stringify(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('may be longer than the memory that is set aside', () => {
    const text = 'a longer text '.repeat(100_000);
    const data = Buffer.from(text);
    const column: Column = { storage: 'bytes', data, offsets: Int32Array.of(0, 0, data.length), validity: null };
    expect(written(type('string'), column)).toBe(JSON.stringify(text));
    const out = new JsonBytes();
    out.ascii('[1');
    for (let more = 0; more < 20; more += 1) out.again(1, out.length);
    out.ascii(']');
    expect(out.finish().toString()).toBe(`[${'1'.repeat(2 ** 20)}]`);
  });
});

describe('entity rows of a retrieval', () => {
  it('keep every digit of their numbers', () => {
    const body = parseExactJson(
      Buffer.from(
        '{"features":["v:f"],"entities":{"k":[1,9007199254740993,1.00000000000000001,9007199254740990.5,"1.50"]}}',
      ),
    ) as HistoricalBody;
    expect(retrievalOfBody(body).entities).toEqual(
      [1, 9_007_199_254_740_993n, { number: '1.00000000000000001' }, { number: '9007199254740990.5' }, '1.50'].map(
        (value) => new Map([['k', value]]),
      ),
    );
  });
});

describe('the headers of snapshots', () => {
  it('are read as they are written', () => {
    const tableUuid = '0f8fad5b-d9cb-469f-a165-70867728950e';
    const snapshots = [
      { view: 'a', table: 'o.a', snapshotId: 9_223_372_036_854_775_807n },
      { view: 'never', table: 'o.never', snapshotId: null },
      { view: 'b-2', table: 'o.b-2', snapshotId: 5n, sequenceNumber: 7n, tableUuid },
    ];
    const text = `a=9223372036854775807, b-2=5;sequence=7;table=${tableUuid}`;
    expect(viewSnapshotHeaders(snapshots)).toEqual({ 'moraine-snapshots': text });
    expect(viewSnapshotHeaders([])).toEqual({ 'moraine-snapshots': '' });
    expect(parseMinSnapshots(text)).toEqual(
      new Map([
        ['a', { snapshotId: 9_223_372_036_854_775_807n }],
        ['b-2', { snapshotId: 5n, sequenceNumber: 7n, tableUuid }],
      ]),
    );
    for (const wrong of ['a=x', 'a=5;sequence=7', 'a=5;sequence=x;table=y', 'a'])
      expect(() => parseMinSnapshots(wrong)).toThrow('write VIEW=SNAPSHOT-ID');
  });

  it('have at most 8 KiB: the short form of all where the full one has no room, and else as many as it has room for', () => {
    const tableUuid = '0f8fad5b-d9cb-469f-a165-70867728950e';
    const named = (count: number) =>
      Array.from({ length: count }, (_, place) => {
        const view = `view_${String(place).padStart(4, '0')}`;
        return { view, table: `o.${view}`, snapshotId: 9_223_372_036_854_775_807n, sequenceNumber: 1n, tableUuid };
      });
    const short = (count: number) => named(count).map(({ view, snapshotId }) => `${view}=${snapshotId}`);
    const full = short(97).map((text) => `${text};sequence=1;table=${tableUuid}`);
    expect([full.slice(0, 96).join(', ').length, full.join(', ').length]).toEqual([8_158, 8_243]);
    expect(viewSnapshotHeaders(named(96))).toEqual({ 'moraine-snapshots': full.slice(0, 96).join(', ') });
    expect(viewSnapshotHeaders(named(97))).toEqual({ 'moraine-snapshots': short(97).join(', ') });
    const most = viewSnapshotHeaders(named(1_000))['moraine-snapshots'] ?? '';
    expect(most.length <= 8_192 && most.length > 8_192 - 31).toBe(true);
    const shown = most.split(', ');
    expect(shown).toEqual(short(shown.length));
    expect(viewSnapshotHeaders(named(1_000))).toEqual({
      'moraine-snapshots': most,
      'moraine-snapshots-left-out': String(1_000 - shown.length),
    });
    expect([...parseMinSnapshots(most).keys()]).toHaveLength(shown.length);
    const tables = new Map(named(1_000).map(({ table, snapshotId }) => [table, snapshotId]));
    const { 'moraine-snapshots': ofTables = '', 'moraine-snapshots-left-out': left } = tableSnapshotHeaders(tables);
    expect(ofTables.length).toBeLessThanOrEqual(8_192);
    expect(ofTables.split(', ').length + Number(left)).toBe(1_000);
  });

  it('have the names of tables percent-encoded, so that any name can be sent and none looks like two', () => {
    const snapshots = new Map([
      ['lake/demo.a-b_1', 5n],
      ['demo."größe, 東京=1%"', 9_223_372_036_854_775_807n],
    ]);
    // By Python's `urllib.parse.quote(name)`.
    const encoded = 'demo.%22gr%C3%B6%C3%9Fe%2C%20%E6%9D%B1%E4%BA%AC%3D1%25%22';
    expect(tableSnapshotHeaders(snapshots)).toEqual({
      'moraine-snapshots': `lake/demo.a-b_1=5, ${encoded}=9223372036854775807`,
    });
  });
});
