/**
 * Filters against an obviously-right reference: SQL's three-valued logic over exact rational numbers, straight on the unbound tree.
 * And pruning against that meaning: no file, partition or manifest that holds a matching row is ever dropped.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyTransform,
  bindExpression,
  canTransform,
  type DataFile,
  evaluate,
  type IcebergType,
  type Literal,
  manifestFileOf,
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
  type Transform,
  type UnboundExpression,
} from '../../iceberg/index.js';
import { runs } from '../support/property-runs.js';

type Value = PrimitiveValue | null;
type Row = ReadonlyMap<string, Value>;

const TYPES: Readonly<Record<string, IcebergType>> = {
  i: { kind: 'int' },
  l: { kind: 'long' },
  dec: { kind: 'decimal', precision: 9, scale: 2 },
  f: { kind: 'float' },
  d: { kind: 'double' },
  s: { kind: 'string' },
  dt: { kind: 'date' },
  ts: { kind: 'timestamp' },
  tn: { kind: 'timestamptz_ns' },
  b: { kind: 'binary' },
};
const NAMES = Object.keys(TYPES);
const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: NAMES.map((name, i) => ({ id: i + 1, name, required: false, type: TYPES[name] as IcebergType })),
};
const fieldId = (name: string): number => NAMES.indexOf(name) + 1;

const NANOS_PER_DAY = 86_400_000_000_000n;
const INT_EDGES = [-(2 ** 31), -(2 ** 31) + 1, 2 ** 31 - 1];
const LONG_EDGES = [-(2n ** 63n), -(2n ** 63n) + 3n, 2n ** 63n - 1n];
const nearInt = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -6, max: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom(...INT_EDGES) },
);
const nearLong = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt(-6n, 6n) },
  { weight: 1, arbitrary: fc.constantFrom(...LONG_EDGES) },
);
const floats = fc.constantFrom(
  -2,
  -0.5,
  -0,
  0,
  0.5,
  1,
  2.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
);
const text = fc
  .array(fc.constantFrom('a', 'b', '\uff5e', '\ud83d\ude00'), { maxLength: 4 })
  .map((chars) => chars.join(''));
const bytes = fc.uint8Array({ maxLength: 3, max: 3 });
/** Hours around 1970 and some milliseconds, so that units of every transform are crossed. */
const micros = fc
  .tuple(fc.integer({ min: -30_000, max: 30_000 }), fc.constantFrom(-1n, 0n, 1n))
  .map(([hours, more]) => BigInt(hours) * 3_600_000_000n + more);

const VALUES: Readonly<Record<string, fc.Arbitrary<PrimitiveValue>>> = {
  i: nearInt,
  l: nearLong,
  dec: fc.bigInt(-300n, 300n),
  f: floats,
  d: floats,
  s: text,
  dt: fc.integer({ min: -800, max: 800 }),
  ts: micros,
  tn: micros.map((value) => value * 1000n + 1n),
  b: bytes,
};

const number = (digits: bigint, exponent: number): Literal => ({ kind: 'number', digits, exponent });
const numbers = fc.oneof(
  fc.tuple(fc.bigInt(-65n, 65n), fc.constantFrom(-1, 0)).map(([digits, exponent]) => number(digits, exponent)),
  fc.constantFrom(
    number(2n ** 63n, 0),
    number(-(2n ** 63n), 0),
    number(2n ** 31n - 1n, 0),
    number(-(2n ** 31n), 0),
    number(1n, 500),
    number(-1n, 500),
  ),
);
const instants = fc.oneof(
  micros.map((value): Literal => ({ kind: 'timestamp', nanos: value * 1000n })),
  micros.map((value): Literal => ({ kind: 'timestamp', nanos: value * 1000n + 1n })),
  fc.integer({ min: -800, max: 800 }).map((days): Literal => ({ kind: 'date', days })),
);
const LITERALS: Readonly<Record<string, fc.Arbitrary<Literal>>> = {
  i: numbers,
  l: numbers,
  dec: fc
    .tuple(fc.bigInt(-3000n, 3000n), fc.constantFrom(-3, -2, 0))
    .map(([digits, exponent]) => number(digits, exponent)),
  // Exact in both float types, so that the reference need not know how literals are rounded to them.
  f: fc.bigInt(-5n, 5n).map((digits) => number(digits * 5n, -1)),
  d: fc.bigInt(-5n, 5n).map((digits) => number(digits * 5n, -1)),
  s: text.map((value): Literal => ({ kind: 'text', value })),
  dt: instants,
  ts: instants,
  tn: instants,
  b: bytes.map((value): Literal => ({ kind: 'binary', value })),
};

const COMPARISONS = ['eq', 'not-eq', 'lt', 'lt-eq', 'gt', 'gt-eq'] as const;

const predicate: fc.Arbitrary<UnboundExpression> = fc.constantFrom(...NAMES).chain((ref) => {
  const literal = LITERALS[ref] as fc.Arbitrary<Literal>;
  const comparison = fc.record({ op: fc.constantFrom(...COMPARISONS), ref: fc.constant(ref), literal });
  const list = fc.record({
    op: fc.constantFrom('in' as const, 'not-in' as const),
    ref: fc.constant(ref),
    literals: fc.array(
      fc.oneof({ weight: 6, arbitrary: literal }, { weight: 1, arbitrary: fc.constant<Literal>({ kind: 'null' }) }),
      { minLength: 1, maxLength: 4 },
    ),
  });
  const isNull = fc.record({ op: fc.constantFrom('is-null' as const, 'not-null' as const), ref: fc.constant(ref) });
  const choices: fc.Arbitrary<UnboundExpression>[] = [comparison, comparison, comparison, list, isNull];
  if (ref === 's')
    choices.push(
      fc.record({
        op: fc.constantFrom('starts-with' as const, 'not-starts-with' as const),
        ref: fc.constant(ref),
        prefix: text,
      }),
    );
  if (ref === 'd' || ref === 'f') choices.push(fc.constant<UnboundExpression>({ op: 'is-nan', ref }));
  return fc.oneof(...choices);
});

const { expression } = fc.letrec<{ expression: UnboundExpression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    predicate,
    fc.record({
      op: fc.constantFrom('and' as const, 'or' as const),
      children: fc.array(tie('expression'), { minLength: 2, maxLength: 3 }),
    }),
    fc.record({ op: fc.constant('not' as const), child: tie('expression') }),
  ),
}));

const row: fc.Arbitrary<Row> = fc
  .tuple(...NAMES.map((name) => fc.option(VALUES[name] as fc.Arbitrary<PrimitiveValue>, { freq: 5 })))
  .map((values) => new Map(values.map((value, i) => [NAMES[i] as string, value])));

// The reference.

/** A value of a column or a literal on a scale of its own: text and bytes as hex of their order, numbers as bigint at 10^-600 (or a float). */
function orderOf(type: IcebergType, value: PrimitiveValue): bigint | string | number {
  const scaled = (units: bigint, scale: number): bigint => units * 10n ** BigInt(600 - scale);
  switch (type.kind) {
    case 'int':
    case 'long':
      return scaled(BigInt(value as number | bigint), 0);
    case 'decimal':
      return scaled(value as bigint, type.scale);
    case 'date':
      return BigInt(value as number) * NANOS_PER_DAY;
    case 'timestamp':
      return (value as bigint) * 1000n;
    case 'timestamptz_ns':
      return value as bigint;
    case 'string':
      return Buffer.from(value as string, 'utf8').toString('hex');
    case 'binary':
      return Buffer.from(value as Uint8Array).toString('hex');
    default:
      return value as number;
  }
}

function literalOrder(type: IcebergType, literal: Literal): bigint | string | number {
  switch (literal.kind) {
    case 'number':
      if (type.kind === 'float' || type.kind === 'double') return Number(literal.digits) * 10 ** literal.exponent;
      return literal.digits * 10n ** BigInt(600 + literal.exponent);
    case 'date':
      return BigInt(literal.days) * NANOS_PER_DAY;
    case 'timestamp':
      return literal.nanos;
    case 'text':
      return Buffer.from(literal.value, 'utf8').toString('hex');
    case 'binary':
      return Buffer.from(literal.value).toString('hex');
    default:
      throw new Error('not used');
  }
}

function compare(type: IcebergType, value: PrimitiveValue, literal: Literal): number {
  const left = orderOf(type, value);
  const right = literalOrder(type, literal);
  if (Number.isNaN(left)) return 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

function reference(unbound: UnboundExpression, of: Row): boolean | null {
  switch (unbound.op) {
    case 'true':
    case 'false':
      return unbound.op === 'true';
    case 'not': {
      const inner = reference(unbound.child, of);
      return inner === null ? null : !inner;
    }
    case 'and':
    case 'or': {
      const inner = unbound.children.map((child) => reference(child, of));
      const deciding = unbound.op === 'or';
      if (inner.includes(deciding)) return deciding;
      return inner.includes(null) ? null : !deciding;
    }
    default:
      return referencePredicate(unbound, of.get(unbound.ref) ?? null);
  }
}

function referencePredicate(unbound: Extract<UnboundExpression, { ref: string }>, value: Value): boolean | null {
  if (value === null) return unbound.op === 'is-null' ? true : unbound.op === 'not-null' ? false : null;
  const type = TYPES[unbound.ref] as IcebergType;
  switch (unbound.op) {
    case 'is-null':
    case 'not-null':
      return unbound.op === 'not-null';
    case 'is-nan':
    case 'not-nan':
      return Number.isNaN(value) === (unbound.op === 'is-nan');
    case 'starts-with':
    case 'not-starts-with':
      return (value as string).startsWith(unbound.prefix) === (unbound.op === 'starts-with');
    case 'in':
    case 'not-in': {
      const equal = unbound.literals.map((literal) =>
        literal.kind === 'null' ? null : compare(type, value, literal) === 0,
      );
      const found = equal.includes(true) ? true : equal.includes(null) ? null : false;
      return found === null ? null : found === (unbound.op === 'in');
    }
    default: {
      const order = compare(type, value, unbound.literal);
      return {
        eq: order === 0,
        'not-eq': order !== 0,
        lt: order < 0,
        'lt-eq': order <= 0,
        gt: order > 0,
        'gt-eq': order >= 0,
      }[unbound.op];
    }
  }
}

describe('bound expressions', () => {
  it('match exactly the rows of which the expression is true in SQL', () => {
    fc.assert(
      fc.property(expression, fc.array(row, { minLength: 1, maxLength: 5 }), (unbound, rows) => {
        const bound = bindExpression(unbound, schema);
        for (const of of rows) {
          expect(evaluate(bound, (id) => of.get(NAMES[id - 1] as string))).toBe(reference(unbound, of) === true);
        }
      }),
      { numRuns: runs(2000) },
    );
  });
});

// Files with statistics as real writers leave them: truncated, partly missing, of the type before a promotion.

const TRANSFORMS = ['identity', 'bucket[4]', 'truncate[3]', 'year', 'month', 'day', 'hour', 'void'].map(parseTransform);
const partitionField = fc
  .constantFrom(...NAMES)
  .chain((name) =>
    fc.tuple(
      fc.constant(name),
      fc.constantFrom(...TRANSFORMS.filter((transform) => canTransform(transform, TYPES[name] as IcebergType))),
    ),
  );
const specs: fc.Arbitrary<PartitionSpec> = fc.array(partitionField, { maxLength: 3 }).map((fields) => ({
  specId: 3,
  fields: fields.map(([name, transform]: [string, Transform], i) => ({
    sourceId: fieldId(name),
    fieldId: 1000 + i,
    name: `${name}_${i}`,
    transform,
  })),
}));

/** Rows grouped by their partition values. */
function byPartition(spec: PartitionSpec, rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const partitions = new Map<string, Row[]>();
  for (const of of rows) {
    const key = JSON.stringify(tupleOf(spec, of), (_key, value: unknown) =>
      typeof value === 'bigint' || typeof value === 'number' ? String(value) : value,
    );
    const members = partitions.get(key);
    if (members === undefined) partitions.set(key, [of]);
    else members.push(of);
  }
  return partitions;
}

type Habits = Readonly<Record<'counts' | 'nans' | 'lower' | 'upper' | 'truncate' | 'oldType', boolean>>;
const habits: fc.Arbitrary<readonly Habits[]> = fc.array(
  fc.record({
    counts: fc.boolean(),
    nans: fc.boolean(),
    lower: fc.boolean(),
    upper: fc.boolean(),
    truncate: fc.boolean(),
    oldType: fc.boolean(),
  }),
  { minLength: NAMES.length, maxLength: NAMES.length },
);

function tupleOf(spec: PartitionSpec, of: Row): readonly Value[] {
  return spec.fields.map(({ sourceId, transform }) => {
    const name = NAMES[sourceId - 1] as string;
    return applyTransform(transform, TYPES[name] as IcebergType, of.get(name) ?? null);
  });
}

function boundBytes(
  type: IcebergType,
  value: PrimitiveValue,
  { truncate, oldType }: Habits,
  upper: boolean,
): Uint8Array | undefined {
  if (oldType && type.kind === 'long' && BigInt.asIntN(32, value as bigint) === value)
    return serializeValue({ kind: 'int' }, Number(value));
  if (oldType && type.kind === 'double') return serializeValue({ kind: 'float' }, value);
  if (!truncate || (type.kind !== 'string' && type.kind !== 'binary')) return serializeValue(type, value);
  const units =
    type.kind === 'string'
      ? [...(value as string)].map((char) => char.codePointAt(0) as number)
      : [...(value as Uint8Array)];
  const cut = units.slice(0, 1);
  if (upper && units.length > 1) {
    cut[0] = (cut[0] as number) + 1;
  }
  return type.kind === 'string' ? serializeValue(type, String.fromCodePoint(...cut)) : Uint8Array.from(cut);
}

function fileOf(rows: readonly Row[], partition: readonly Value[], columnHabits: readonly Habits[]): DataFile {
  const maps = {
    valueCounts: new Map<number, bigint>(),
    nullValueCounts: new Map<number, bigint>(),
    nanValueCounts: new Map<number, bigint>(),
    lowerBounds: new Map<number, Uint8Array>(),
    upperBounds: new Map<number, Uint8Array>(),
  };
  for (const [i, name] of NAMES.entries()) {
    const type = TYPES[name] as IcebergType;
    const habit = columnHabits[i] as Habits;
    const values = rows.map((of) => of.get(name) ?? null).filter((value) => value !== null);
    const ordered = values
      .filter((value) => !Number.isNaN(value))
      .sort((a, b) => {
        const left = orderOf(type, a);
        const right = orderOf(type, b);
        return left < right ? -1 : left > right ? 1 : 0;
      });
    if (habit.counts) {
      maps.valueCounts.set(i + 1, BigInt(rows.length));
      maps.nullValueCounts.set(i + 1, BigInt(rows.length - values.length));
    }
    if (habit.nans && typeof values[0] === 'number')
      maps.nanValueCounts.set(i + 1, BigInt(values.length - ordered.length));
    const [least] = ordered;
    const greatest = ordered.at(-1);
    const lower = least === undefined || !habit.lower ? undefined : boundBytes(type, least, habit, false);
    const upper = greatest === undefined || !habit.upper ? undefined : boundBytes(type, greatest, habit, true);
    if (lower !== undefined) maps.lowerBounds.set(i + 1, lower);
    if (upper !== undefined) maps.upperBounds.set(i + 1, upper);
  }
  return {
    content: 'data',
    filePath: '/f',
    fileFormat: 'PARQUET',
    specId: 3,
    partition,
    recordCount: BigInt(rows.length),
    fileSizeInBytes: 1n,
    ...maps,
  };
}

describe('pruning', () => {
  it('never drops a file, partition or manifest that holds a matching row', () => {
    fc.assert(
      fc.property(
        expression,
        specs,
        fc.array(row, { minLength: 1, maxLength: 8 }),
        habits,
        (unbound, spec, rows, columnHabits) => {
          const bound = bindExpression(unbound, schema);
          const projected = projectInclusive(bound, spec);
          const partitions = byPartition(spec, rows);
          const files = [...partitions.values()].map((members) => ({
            members,
            file: fileOf(members, tupleOf(spec, members[0] as Row), columnHabits),
          }));
          const entries = files.map(({ file }) => ({
            status: 'added' as const,
            snapshotId: null,
            sequenceNumber: null,
            fileSequenceNumber: null,
            dataFile: file,
          }));
          const manifest = manifestFileOf({
            manifestPath: '/m',
            manifestLength: 1n,
            content: 'data',
            spec,
            schema,
            entries,
            snapshotId: 1n,
            sequenceNumber: 1n,
          });
          for (const { members, file } of files) {
            if (!members.some((of) => reference(unbound, of) === true)) continue;
            expect({
              file: mightMatch(bound, file),
              partition: partitionMightMatch(projected, file.partition, spec),
              manifest: manifestMightMatch(projected, manifest, spec),
            }).toEqual({ file: true, partition: true, manifest: true });
          }
        },
      ),
      { numRuns: runs(4000) },
    );
  });
});

describe('the parser', () => {
  const names = fc.string({ minLength: 1, maxLength: 6 });
  const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

  it('takes any name in double quotes and any text in single quotes whole', () => {
    fc.assert(
      fc.property(names, fc.string(), (name, value) => {
        expect(parseExpression(`${quote(name)} = '${value.replaceAll("'", "''")}'`)).toEqual({
          op: 'eq',
          ref: name,
          literal: { kind: 'text', value },
        });
      }),
    );
  });

  it('gives an expression or EXPRESSION_INVALID for any text', () => {
    const words = fc.constantFrom(
      'a',
      'AND',
      'OR',
      'NOT',
      'IN',
      'IS',
      'NULL',
      'LIKE',
      '(',
      ')',
      ',',
      '=',
      '<>',
      '1',
      "'t%'",
      "X'00'",
      'DATE',
      'isnan',
      '"q"',
      '-',
      '%',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 12 }).map((parts) => parts.join(' ')),
        ),
        (input) => {
          try {
            expect(parseExpression(input)).toHaveProperty('op');
          } catch (error) {
            expect(error).toMatchObject({ code: 'EXPRESSION_INVALID' });
          }
        },
      ),
      { numRuns: runs(2000) },
    );
  });
});
