import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFileLayouts, scanSql, sqlLiteral, sqlType, writeParquet, writeRows } from '../../engine/index.js';
import type { IcebergType, NestedField, PrimitiveType, Schema } from '../../iceberg/index.js';
import { type LocalPath, localPath } from '../../locations/index.js';
import { runs } from '../support/property-runs.js';
import { type Harness, MemorySink, openHarness } from '../unit/engine/harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

/** A value in plain JavaScript: the reference keeps rows as maps from field id to value. */
type Plain = null | bigint | string | boolean | Plain[] | Map<number, Plain> | { readonly entries: [Plain, Plain][] };

/** Types that evolve: ints may become longs; structs gain, lose, rename and reorder fields. */
const names = fc.constantFrom('a', 'b', 'c', 'A', 'x y', `q"'`, '__proto__', 'key', 'element');

function typeOf(depth: number, nextId: () => number): fc.Arbitrary<IcebergType> {
  const primitive = fc.constantFrom<PrimitiveType>({ kind: 'int' }, { kind: 'string' }, { kind: 'boolean' });
  if (depth === 0) return primitive;
  const inner = typeOf(depth - 1, nextId);
  const struct = fc
    .uniqueArray(fc.tuple(names, inner), { minLength: 1, maxLength: 3, selector: ([name]) => name.toLowerCase() })
    .map(
      (fields): IcebergType => ({
        kind: 'struct',
        fields: fields.map(([name, type]) => ({ id: nextId(), name, required: false, type })),
      }),
    );
  const list = inner.map(
    (element): IcebergType => ({ kind: 'list', elementId: nextId(), elementRequired: false, element }),
  );
  const map = inner.map(
    (value): IcebergType => ({
      kind: 'map',
      keyId: nextId(),
      key: { kind: 'string' },
      valueId: nextId(),
      valueRequired: false,
      value,
    }),
  );
  return fc.oneof({ weight: 2, arbitrary: primitive }, struct, list, map);
}

/** Ids are given anew, so that generated types that share an object do not share ids. */
function freshIds(type: IcebergType, nextId: () => number): IcebergType {
  switch (type.kind) {
    case 'struct':
      return {
        kind: 'struct',
        fields: type.fields.map((f) => ({ ...f, id: nextId(), type: freshIds(f.type, nextId) })),
      };
    case 'list':
      return { ...type, elementId: nextId(), element: freshIds(type.element, nextId) };
    case 'map':
      return { ...type, keyId: nextId(), valueId: nextId(), value: freshIds(type.value, nextId) };
    default:
      return type;
  }
}

interface Dice {
  /** A number from 0 to `sides` - 1. */
  roll(sides: number): number;
}

function diceOf(seeds: readonly number[]): Dice {
  let at = 0;
  return { roll: (sides) => (seeds[at++ % seeds.length] as number) % sides };
}

/** One step of evolution over a list of fields at any depth. */
function evolveFields(fields: readonly NestedField[], dice: Dice, nextId: () => number): NestedField[] {
  // The first field always stays: a struct without fields is none.
  const kept = fields.flatMap((f, index) =>
    index > 0 && dice.roll(5) === 0 ? [] : [{ ...f, type: evolveType(f.type, dice, nextId) }],
  );
  const renamed = kept.map((f) => (dice.roll(3) === 0 ? { ...f, name: `${f.name} renamed` } : f));
  if (dice.roll(3) === 0)
    renamed.push({ id: nextId(), name: `new ${nextId()}`, required: false, type: { kind: 'long' } });
  return dice.roll(2) === 0 ? renamed.reverse() : renamed;
}

function evolveType(type: IcebergType, dice: Dice, nextId: () => number): IcebergType {
  switch (type.kind) {
    case 'int':
      return dice.roll(2) === 0 ? { kind: 'long' } : type;
    case 'struct':
      return { kind: 'struct', fields: evolveFields(type.fields, dice, nextId) };
    case 'list':
      return { ...type, element: evolveType(type.element, dice, nextId) };
    case 'map':
      return { ...type, value: evolveType(type.value, dice, nextId) };
    default:
      return type;
  }
}

function valueOf(type: IcebergType, dice: Dice): Plain {
  if (dice.roll(5) === 0) return null;
  switch (type.kind) {
    case 'int':
    case 'long':
      return BigInt(dice.roll(2000)) - 1000n;
    case 'boolean':
      return dice.roll(2) === 0;
    case 'struct':
      return new Map(type.fields.map((f) => [f.id, valueOf(f.type, dice)]));
    case 'list':
      return Array.from({ length: dice.roll(3) }, () => valueOf(type.element, dice));
    case 'map':
      return { entries: Array.from({ length: dice.roll(3) }, (_, i) => [`k${i}`, valueOf(type.value, dice)]) };
    default:
      return `text ${dice.roll(100)}'"`;
  }
}

function literal(type: IcebergType, value: Plain): string {
  if (value === null) return `NULL::${sqlType(type)}`;
  switch (type.kind) {
    case 'struct': {
      const members = type.fields.map(
        (f) =>
          `'${f.name.replaceAll("'", "''")}': ${literal(f.type, (value as Map<number, Plain>).get(f.id) as Plain)}`,
      );
      return `{${members.join(', ')}}`;
    }
    case 'list':
      return `[${(value as Plain[]).map((item) => literal(type.element, item)).join(', ')}]::${sqlType(type)}`;
    case 'map': {
      const { entries } = value as { entries: [Plain, Plain][] };
      if (entries.length === 0) return `MAP {}::${sqlType(type)}`;
      return `MAP {${entries.map(([key, item]) => `${literal(type.key, key)}: ${literal(type.value, item)}`).join(', ')}}`;
    }
    default:
      return sqlLiteral(type as PrimitiveType, type.kind === 'int' ? Number(value) : (value as string));
  }
}

/** The reference: what a value written with an old type is under a new one, as JSON text. */
function expected(type: IcebergType, value: Plain | undefined): string {
  if (value === null || value === undefined) return 'null';
  switch (type.kind) {
    case 'struct':
      return `{${type.fields.map((f) => `${JSON.stringify(f.name)}:${expected(f.type, (value as Map<number, Plain>).get(f.id))}`).join(',')}}`;
    case 'list':
      return `[${(value as Plain[]).map((item) => expected(type.element, item)).join(',')}]`;
    case 'map':
      return `[${(value as { entries: [Plain, Plain][] }).entries.map(([k, v]) => `[${JSON.stringify(k)},${expected(type.value, v)}]`).join(',')}]`;
    default:
      return typeof value === 'string' ? JSON.stringify(value) : (value as bigint | boolean).toString();
  }
}

describe('scanning after evolution', () => {
  it('gives each field by its id, whatever it was called and wherever it stood', async () => {
    let attempt = 0;
    const shape = fc.uniqueArray(
      fc.tuple(
        names,
        typeOf(2, () => 0),
      ),
      { minLength: 1, maxLength: 4, selector: ([name]) => name },
    );
    await fc.assert(
      fc.asyncProperty(shape, fc.array(fc.nat(), { minLength: 40, maxLength: 80 }), async (columns, seeds) => {
        attempt += 1;
        let id = 0;
        const nextId = (): number => ++id;
        const dice = diceOf(seeds);
        let fields: NestedField[] = columns.map(([name, type]) => ({
          id: nextId(),
          name,
          required: false,
          type: freshIds(type, nextId),
        }));
        const files: { path: LocalPath; recordCount: bigint }[] = [];
        const rows: Map<number, Plain>[] = [];
        for (let generation = 0; generation < 3; generation += 1) {
          const schema: Schema = { schemaId: generation, fields, identifierFieldIds: [] };
          const some = Array.from({ length: 3 }, () => new Map(fields.map((f) => [f.id, valueOf(f.type, dice)])));
          const selects = some.map(
            (row) => `SELECT ${fields.map((f) => literal(f.type, row.get(f.id) as Plain)).join(', ')}`,
          );
          const written = await harness.engine.withConnection((connection) =>
            writeParquet(connection, {
              select: selects.join(' UNION ALL '),
              schema,
              spec: { specId: 0, fields: [] },
              folder: localPath(harness.folder),
              namePrefix: `p${attempt}-${generation}`,
            }),
          );
          files.push(...written.map((file) => ({ path: localPath(file.filePath), recordCount: file.recordCount })));
          rows.push(...some);
          fields = evolveFields(fields, dice, nextId);
        }
        const schema: Schema = { schemaId: 9, fields, identifierFieldIds: [] };
        const sink = new MemorySink();
        await harness.engine.withConnection(async (connection) => {
          const layouts = await readFileLayouts(
            connection,
            files.map((file) => file.path),
          );
          await writeRows(connection, `FROM ${scanSql({ schema, files, layouts })}`, schema, 'jsonl', sink);
        });
        const wanted = rows.map((row) => expected({ kind: 'struct', fields }, row));
        expect(sink.text.split('\n').slice(0, -1).sort()).toEqual(wanted.sort());
      }),
      { numRuns: runs(60) },
    );
  });
});
