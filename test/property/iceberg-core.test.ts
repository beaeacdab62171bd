import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyTransform,
  bytesToBigint,
  civilFromDays,
  compareValues,
  daysFromCivil,
  deserializeValue,
  type IcebergType,
  type JsonValue,
  type NestedField,
  newTableMetadata,
  type PrimitiveValue,
  parseJson,
  parseSchema,
  parseTableMetadata,
  type Schema,
  type Snapshot,
  schemaToJson,
  serializeValue,
  stringifyJson,
  type TableMetadata,
  tableMetadataToJson,
  valueFromJson,
  valueToJson,
} from '../../iceberg/index.js';
import { runs } from '../support/property-runs.js';

const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Uint8Array.from(value));
const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('__proto__', 'constructor', 'a.b', '"', '\n'),
);

/** A type and a value of it, as they are in memory. */
const typedValue: fc.Arbitrary<readonly [IcebergType, PrimitiveValue]> = fc.oneof(
  fc.tuple(fc.constant<IcebergType>({ kind: 'boolean' }), fc.boolean()),
  fc.tuple(fc.constantFrom<IcebergType>({ kind: 'int' }, { kind: 'date' }), int),
  fc.tuple(
    fc.constantFrom<IcebergType>(
      { kind: 'long' },
      { kind: 'timestamp' },
      { kind: 'timestamptz' },
      { kind: 'timestamp_ns' },
      { kind: 'timestamptz_ns' },
    ),
    long,
  ),
  fc.tuple(fc.constant<IcebergType>({ kind: 'time' }), fc.bigInt({ min: 0n, max: 86_399_999_999n })),
  fc.tuple(fc.constant<IcebergType>({ kind: 'float' }), fc.float({ noNaN: true, noDefaultInfinity: true })),
  fc.tuple(fc.constant<IcebergType>({ kind: 'double' }), fc.double({ noNaN: true, noDefaultInfinity: true })),
  fc.tuple(fc.constant<IcebergType>({ kind: 'string' }), fc.string({ unit: 'binary' })),
  fc.tuple(fc.constant<IcebergType>({ kind: 'uuid' }), fc.uuid()),
  fc.tuple(fc.constant<IcebergType>({ kind: 'binary' }), bytes),
  fc.tuple(
    fc.integer({ min: -5, max: 38 }).map((scale): IcebergType => ({ kind: 'decimal', precision: 38, scale })),
    fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
  ),
);

describe('single values', () => {
  it('survive their binary form', () => {
    fc.assert(
      fc.property(typedValue, ([type, value]) => {
        expect(deserializeValue(type, serializeValue(type, value))).toEqual(value);
      }),
    );
  });

  it('survive their JSON form, as text too', () => {
    fc.assert(
      fc.property(typedValue, ([type, value]) => {
        const json = parseJson(stringifyJson(valueToJson(type, value)));
        // JSON has one zero.
        expect(valueFromJson(type, json)).toEqual(Object.is(value, -0) ? 0 : value);
      }),
    );
  });

  it('are decimals in the fewest bytes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }), (value) => {
        const binary = serializeValue({ kind: 'decimal', precision: 38, scale: 0 }, value);
        expect(bytesToBigint(binary)).toBe(value);
        if (binary.length > 1) expect(bytesToBigint(binary.slice(1))).not.toBe(value);
      }),
    );
  });

  it('of text are in the order of their UTF-8 bytes', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        fc.constantFrom('\uffff', '\ue000', '𝄞', '\ud7ff'),
      ),
    });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
        expect(Math.sign(compareValues({ kind: 'string' }, a, b))).toBe(expected);
      }),
    );
  });
});

describe('transforms', () => {
  it('of dates agree with JavaScript where it knows them', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (days) => {
        const date = new Date(days * 86_400_000);
        const years = date.getUTCFullYear() - 1970;
        expect(applyTransform({ kind: 'year' }, { kind: 'date' }, days)).toBe(years);
        expect(applyTransform({ kind: 'month' }, { kind: 'date' }, days)).toBe(years * 12 + date.getUTCMonth());
        expect(civilFromDays(days).day).toBe(date.getUTCDate());
      }),
    );
  });

  it('count calendar days both ways over every 32-bit date', () => {
    fc.assert(
      fc.property(int, (days) => {
        expect(daysFromCivil(civilFromDays(days))).toBe(days);
      }),
    );
  });

  it('truncate to the multiple at or below', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        (value, width) => {
          const truncated = applyTransform({ kind: 'truncate', width }, { kind: 'long' }, value) as bigint;
          expect(truncated % BigInt(width)).toBe(0n);
          expect(value - truncated >= 0n && value - truncated < BigInt(width)).toBe(true);
        },
      ),
    );
  });

  it('truncate text to whole code points', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 8 }), (text, width) => {
        const expected = [...text].slice(0, width).join('');
        expect(applyTransform({ kind: 'truncate', width }, { kind: 'string' }, text)).toBe(expected);
      }),
    );
  });
});

const json: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }),
    fc.bigInt({ min: -(2n ** 70n), max: -(2n ** 53n) }),
    fc.string({
      unit: fc.oneof(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        fc.constantFrom('\u0001', '"', '\\', '9', ':', ','),
      ),
    }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

describe('JSON', () => {
  it('survives its text, long integers and hostile strings included', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(parseJson(stringifyJson(value))).toEqual(value);
      }),
      { numRuns: runs(500) },
    );
  });

  it('without long integers is what the native parser and writer say', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value, null, 2);
        fc.pre(!/\d{16}/.test(text));
        expect(parseJson(text)).toEqual(JSON.parse(text));
        expect(JSON.parse(stringifyJson(parseJson(text)))).toEqual(JSON.parse(text));
      }),
    );
  });
});

/** A schema of any shape with ids in order. */
const schema: fc.Arbitrary<Schema> = (() => {
  const shape = fc.letrec<{ type: (id: () => number) => IcebergType }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 3 },
      typedValue.map(
        ([type]) =>
          () =>
            type,
      ),
      fc.uniqueArray(name, { maxLength: 3 }).chain((names) =>
        fc.tuple(...names.map(() => tie('type'))).map(
          (types) =>
            (id: () => number): IcebergType => ({
              kind: 'struct',
              fields: names.map((each, i) => ({
                id: id(),
                name: each,
                required: i % 2 === 0,
                type: types[i]?.(id) ?? { kind: 'int' },
              })),
            }),
        ),
      ),
      tie('type').map(
        (element) =>
          (id: () => number): IcebergType => ({
            kind: 'list',
            elementId: id(),
            elementRequired: true,
            element: element(id),
          }),
      ),
    ),
  })).type;
  return fc
    .tuple(fc.uniqueArray(name, { minLength: 1, maxLength: 4 }), fc.array(shape, { minLength: 4, maxLength: 4 }))
    .map(([names, types]) => {
      let last = 0;
      const id = (): number => ++last;
      const fields: NestedField[] = names.map((each, i) => ({
        id: id(),
        name: each,
        required: false,
        type: types[i]?.(id) ?? { kind: 'int' },
      }));
      return { schemaId: 0, fields, identifierFieldIds: [] };
    });
})();

describe('schemas', () => {
  it('survive their JSON text', () => {
    fc.assert(
      fc.property(schema, (value) => {
        expect(parseSchema(parseJson(stringifyJson(schemaToJson(value))))).toEqual(value);
      }),
    );
  });
});

const snapshot = fc.record<Snapshot>(
  {
    snapshotId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    parentSnapshotId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    sequenceNumber: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    timestampMs: fc.bigInt({ min: 0n, max: 2n ** 53n }),
    manifestList: fc.string({ unit: 'binary' }),
    summary: fc.array(fc.tuple(name, fc.string()), { maxLength: 3 }).map((entries) => new Map(entries)),
    schemaId: fc.nat(),
  },
  { requiredKeys: ['snapshotId', 'sequenceNumber', 'timestampMs', 'manifestList', 'summary'] },
);

describe('table metadata', () => {
  const metadata: fc.Arbitrary<TableMetadata> = fc
    .record({
      schema,
      formatVersion: fc.constantFrom(2 as const, 3 as const),
      snapshots: fc.uniqueArray(snapshot, { selector: (each) => each.snapshotId, maxLength: 4 }),
      refName: name,
      properties: fc.array(fc.tuple(name, fc.string({ unit: 'binary' })), { maxLength: 4 }),
    })
    .map(({ schema: tableSchema, formatVersion, snapshots, refName, properties }) => {
      const base = newTableMetadata({
        schema: tableSchema,
        formatVersion,
        location: '/t',
        tableUuid: 'u',
        nowMs: 5n,
        properties: new Map(properties),
      });
      const last = snapshots.at(-1);
      if (last === undefined) return base;
      const { snapshotId } = last;
      const refs = new Map([
        [refName, { snapshotId, type: 'branch' as const }],
        ['main', { snapshotId, type: 'branch' as const }],
      ]);
      return {
        ...base,
        snapshots,
        currentSnapshotId: snapshotId,
        refs,
        snapshotLog: [{ snapshotId, timestampMs: 7n }],
      };
    });

  it('survives its JSON text', () => {
    fc.assert(
      fc.property(metadata, (value) => {
        expect(parseTableMetadata(tableMetadataToJson(value))).toEqual(value);
      }),
    );
  });

  it('whatever is damaged, is read or refused with a code, never a crash', () => {
    fc.assert(
      fc.property(
        metadata,
        fc.nat(),
        fc.nat(),
        fc.constantFrom('', '0', '"', '{', 'null', '[]', '-1'),
        (value, at, length, put) => {
          const text = tableMetadataToJson(value);
          const start = at % text.length;
          const damaged = text.slice(0, start) + put + text.slice(start + (length % 20));
          try {
            parseTableMetadata(damaged);
          } catch (error) {
            expect(error).toMatchObject({
              code: expect.stringMatching(/^(METADATA_CORRUPT|FORMAT_VERSION_UNSUPPORTED)$/) as string,
            });
          }
        },
      ),
      { numRuns: runs(300) },
    );
  });
});
