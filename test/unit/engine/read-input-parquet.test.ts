/** Nanoseconds and columns of Parquet's Null type in files that users bring, written by PyArrow (test/fixtures/pyarrow). */
import { copyFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readInput } from '../../../engine/index.js';
import { type IcebergType, typeToString } from '../../../iceberg/index.js';
import { projectRoot } from '../../support/paths.js';
import { field, type Harness, openHarness } from './harness.js';

const FIXTURES = join(projectRoot, 'test/fixtures/pyarrow');

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

async function read(
  name: string,
  columns: string,
  types: ReadonlyMap<string, IcebergType> = new Map(),
  orderBy = 'id',
) {
  const path = join(harness.folder, basename(name));
  await copyFile(join(FIXTURES, name), path);
  return await harness.engine.withConnection(async (connection) => {
    const { schema, sql } = await readInput(connection, path, { types });
    const found = schema.fields.map((one) => `${one.name}: ${typeToString(one.type)}`);
    return { found, rows: await connection.rows(`SELECT ${columns} FROM (${sql}) ORDER BY ${orderBy}`) };
  });
}

describe('nanoseconds of input files', () => {
  it('that are whole microseconds are microseconds, with and without zone, also inside lists', async () => {
    const columns = `epoch_us("at"), epoch_us(plain), epoch_us(seen[1]), typeof("at"), typeof(plain), typeof(seen)`;
    const types = ['TIMESTAMP WITH TIME ZONE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE[]'];
    expect(await read('entity-frame.parquet', columns)).toEqual({
      found: ['id: long', 'at: timestamptz', 'plain: timestamp', 'seen: list<timestamptz>'],
      rows: [1_700_000_000_123_456n, null, -1n].map((at) => [at, at, at, ...types]),
    });
  });

  it('are kept where the target has them', async () => {
    const ZONED: IcebergType = { kind: 'timestamptz_ns' };
    const list: IcebergType = { kind: 'list', elementId: 3, elementRequired: false, element: ZONED };
    const struct: IcebergType = { kind: 'struct', fields: [field(1, 'x', ZONED), field(2, 'l', list)] };
    const types = new Map<string, IcebergType>([
      ['at', ZONED],
      ['plain', { kind: 'timestamp_ns' }],
      ['s', struct],
    ]);
    const at = [1_700_000_000_123_456_789n, null, -1n, -(2n ** 63n), 2n ** 63n - 1n, 981_173_106_000_000_007n];
    expect(
      await read(
        'zoned-nanoseconds.parquet',
        'epoch_ns("at"), epoch_ns(plain), epoch_ns(s.x), epoch_ns(s.l[2])',
        types,
      ),
    ).toEqual({
      found: [
        'id: long',
        'at: timestamptz_ns',
        'plain: timestamp_ns',
        'micros: timestamptz',
        's: struct<x: timestamptz_ns, l: list<timestamptz_ns>>',
      ],
      rows: at.map((ns, n) => [ns, ns, ns, BigInt(n)]),
    });
  });

  it('that would be cut do not fit: column, row and value are named', async () => {
    const error: unknown = await read('zoned-nanoseconds.parquet', '*').catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'TYPE_MISMATCH' });
    const lines = String(error).split('\n');
    expect(lines[0]).toContain('column "at", row 1: "2023-11-14 22:13:20.123456789" does not fit timestamptz exactly');
    expect(lines[1]).toContain('column "plain", row 1: "2023-11-14 22:13:20.123456789" does not fit timestamp exactly');
    expect(lines[2]).toContain('column "s", row 1: it has nanoseconds, which would be cut');
    expect(lines).toHaveLength(3);
  });
});

describe("columns of Parquet's Null type", () => {
  const columns = 'k, s, event_timestamp, label, list';
  const rows = [
    [1n, null, null, null, { items: [null] }],
    [2n, null, null, null, null],
  ];

  it('are texts where nothing else gives them a type', async () => {
    expect(await read('nulls.parquet', columns, new Map(), 'k')).toEqual({
      found: ['k: long', 's: string', 'event_timestamp: string', 'label: string', 'list: list<string>'],
      rows,
    });
  });

  it('have the types of the target', async () => {
    const types = new Map<string, IcebergType>([
      ['event_timestamp', { kind: 'timestamptz' }],
      ['label', { kind: 'double' }],
    ]);
    expect(await read('nulls.parquet', columns, types, 'k')).toEqual({
      found: ['k: long', 's: string', 'event_timestamp: timestamptz', 'label: double', 'list: list<string>'],
      rows,
    });
  });
});
