/** Random schemas and rows, written as Avro files by avsc, are read back as they are: the rows of every file through its copy. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import avro from 'avsc';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readableCopy } from '../../engine/copies/convert-file.js';
import { checkFiles } from '../../engine/index.js';
import { localPath } from '../../locations/index.js';
import { bigLongs } from '../support/avro-longs.js';
import { runs } from '../support/property-runs.js';
import { type Harness, openHarness } from '../unit/engine/harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

/** A type: its Avro schema, its values as avsc writes them, and how DuckDB gives them, as text. */
interface Kind {
  readonly avro: (name: string) => unknown;
  readonly values: fc.Arbitrary<unknown>;
  readonly text: (value: unknown) => string;
}

const simple = <T>(type: unknown, values: fc.Arbitrary<T>, text: (value: T) => string = String): Kind => ({
  avro: () => type,
  values,
  text: (value) => text(value as T),
});

const PRIMITIVES: readonly Kind[] = [
  simple('boolean', fc.boolean()),
  simple('int', fc.integer()),
  simple('long', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  simple('double', fc.double({ noNaN: true })),
  simple('string', fc.string({ unit: 'binary' }), (value) => JSON.stringify(value)),
  simple(
    'bytes',
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    (value) => value.toString('hex'),
  ),
  simple({ type: 'int', logicalType: 'date' }, fc.integer({ min: -700_000, max: 2_000_000 })),
  simple(
    { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true },
    fc.bigInt({ min: -(2n ** 55n), max: 2n ** 55n }),
  ),
];

const optional = (kind: Kind, isNullFirst: boolean): Kind => ({
  avro: (name) => (isNullFirst ? ['null', kind.avro(name)] : [kind.avro(name), 'null']),
  values: fc.option(kind.values),
  text: (value) => (value === null ? 'null' : kind.text(value)),
});

const list = (kind: Kind): Kind => ({
  avro: (name) => ({ type: 'array', items: kind.avro(`${name}_e`) }),
  values: fc.array(kind.values, { maxLength: 5 }),
  text: (value) => `[${(value as unknown[]).map(kind.text).join()}]`,
});

const map = (kind: Kind): Kind => ({
  avro: (name) => ({ type: 'map', values: kind.avro(`${name}_v`) }),
  values: fc
    .uniqueArray(fc.tuple(fc.string({ minLength: 1 }), kind.values), { selector: ([key]) => key, maxLength: 4 })
    .map((pairs) => Object.fromEntries(pairs)),
  text: (value) =>
    `{${Object.entries(value as object)
      .map(([key, one]) => `${JSON.stringify(key)}=${kind.text(one)}`)
      .join()}}`,
});

const record = (kinds: readonly Kind[]): Kind => ({
  avro: (name) => ({
    type: 'record',
    name,
    // Names that DuckDB would take for the same.
    fields: kinds.map((kind, n) => ({
      name: n % 2 === 0 ? `X${n >> 1}` : `x${n >> 1}`,
      type: kind.avro(`${name}_${n}`),
    })),
  }),
  values: fc
    .tuple(...kinds.map(({ values }) => values))
    .map((values) => Object.fromEntries(values.map((one, n) => [n % 2 === 0 ? `X${n >> 1}` : `x${n >> 1}`, one]))),
  text: (value) =>
    `(${Object.values(value as object)
      .map((one, n) => (kinds[n] as Kind).text(one))
      .join()})`,
});

const kinds = fc.letrec<{ kind: Kind }>((tie) => ({
  kind: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.constantFrom(...PRIMITIVES),
    fc.tuple(fc.constantFrom(...PRIMITIVES), fc.boolean()).map(([kind, first]) => optional(kind, first)),
    tie('kind').map(list),
    tie('kind').map(map),
    fc.array(tie('kind'), { minLength: 1, maxLength: 3 }).map(record),
  ),
})).kind;

const files = fc
  .array(kinds, { minLength: 1, maxLength: 4 })
  .map((members) => record(members))
  .chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      rows: fc.array(kind.values, { maxLength: 30 }),
      codec: fc.constantFrom('null', 'deflate'),
      // A block of a row or two, or of all.
      blockSize: fc.constantFrom(1, 100, 65_536),
    }),
  );

let written = 0;

async function write(schema: unknown, rows: readonly unknown[], codec: string, blockSize: number): Promise<string> {
  written += 1;
  const path = join(harness.folder, `${written}.avro`);
  const type = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'never', typeHook: bigLongs });
  const encoder = new avro.streams.BlockEncoder(type, { codec, blockSize, writeHeader: true });
  const sink = encoder.pipe(createWriteStream(path));
  for (const row of rows) encoder.write(row);
  encoder.end();
  await once(sink, 'finish');
  return path;
}

/** A value of the binding as {@link Kind.text} writes it. */
function textOf(value: unknown): string {
  if (value === null || typeof value !== 'object')
    return typeof value === 'string' ? JSON.stringify(value) : String(value);
  const one = value as Record<string, unknown>;
  if ('bytes' in one) return Buffer.from(one['bytes'] as Uint8Array).toString('hex');
  if ('days' in one) return String(one['days']);
  if ('micros' in one) return String(one['micros']);
  if (Array.isArray(one['items'])) return `[${one['items'].map(textOf).join()}]`;
  if (!Array.isArray(one['entries']))
    return `(${Object.values(one['entries'] as object)
      .map(textOf)
      .join()})`;
  const pairs = one['entries'] as { key: unknown; value: unknown }[];
  return `{${pairs.map(({ key, value: member }) => `${textOf(key)}=${textOf(member)}`).join()}}`;
}

it('Avro files are read as they were written', async () => {
  await fc.assert(
    fc.asyncProperty(files, async ({ kind, rows, codec, blockSize }) => {
      const path = localPath(await write(kind.avro('r'), rows, codec, blockSize));
      const read = await harness.engine.withConnection(async (connection) => {
        await checkFiles(connection, [{ path, format: 'AVRO', fileSizeInBytes: BigInt((await stat(path)).size) }]);
        const copy = await readableCopy(connection, path, 'avro');
        return await connection.rows(`SELECT * FROM read_parquet('${copy}')`);
      });
      expect(read.map((values) => `(${values.map(textOf).join()})`)).toEqual(rows.map(kind.text));
    }),
    { numRuns: runs(60) },
  );
});
