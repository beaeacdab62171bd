/** Schemas that a sink changes, and schemas that others change under it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Float64,
  Int32,
  Int64,
  makeData,
  Table,
  TimestampNanosecond,
  Uint64,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrowRecords } from '../../../client/index.js';
import { type Engine, readableScanSql } from '../../../engine/index.js';
import {
  currentSchema,
  currentSnapshot,
  evolveSchema,
  type JsonValue,
  LAST_ADDED,
  parsePartitionSpec,
  parseSchema,
  type SchemaChange,
  typeToString,
} from '../../../iceberg/index.js';
import { fileToOpen, openFiles } from '../../../scans/index.js';
import type { SinkSnapshot } from '../../../sink/index.js';
import { jsonRecords, type RecordMapping } from '../../../sink/index.js';
import { commitUpdates, planFiles } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { openSinkEngine, SinkWorld, span } from '../../support/sink-world.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

const fieldsOf = (columns: Readonly<Record<string, string>>) =>
  Object.entries(columns).map(
    ([name, type], index): JsonValue => ({
      id: index + 1,
      name: name.replace('!', ''),
      required: name.endsWith('!'),
      type,
    }),
  );
const schemaOf = (columns: Readonly<Record<string, string>>) =>
  parseSchema({ type: 'struct', 'schema-id': 0, fields: fieldsOf(columns) });

const world = (columns: Readonly<Record<string, string>>) =>
  SinkWorld.open(engine, { schema: schemaOf(columns), partitionSpec: { specId: 0, fields: [] } });

function json(...records: readonly unknown[]) {
  const bytes = Buffer.from(
    records.map((record) => `${typeof record === 'string' ? record : JSON.stringify(record)}\n`).join(''),
  );
  return (mapping: RecordMapping = {}) =>
    jsonRecords(
      { bytes, count: records.length, source: 'a', partition: undefined, from: 0n },
      { badRecords: 'drop', ...mapping },
    );
}

/** Columns with their types, `!` where required. */
async function columnsOf(lab: SinkWorld) {
  const { metadata } = await lab.load();
  return currentSchema(metadata).fields.map(
    ({ name, type, required }) => `${name}${required ? '!' : ''} ${typeToString(type)}`,
  );
}

/** Data files that there are, whether a snapshot lists them or not. */
async function filesOf(lab: SinkWorld): Promise<readonly string[]> {
  const { location } = (await lab.load()).metadata;
  const files = await readdir(join(location, 'data'), { recursive: true });
  return files.filter((file) => file.endsWith('.parquet')).map((file) => join(location, 'data', file));
}

/** All rows by the current schema, as readers see them. */
async function scanned(lab: SinkWorld): Promise<readonly (readonly unknown[])[]> {
  const table = await lab.load();
  const [snapshot, schema] = [currentSnapshot(table.metadata), currentSchema(table.metadata)];
  if (snapshot === null) return [];
  const { files } = await planFiles(table, { snapshot, schema });
  return await engine.withConnection(async (connection) => {
    const open = await openFiles(connection, table, files.map(fileToOpen));
    return await connection.rows(`FROM ${await readableScanSql(connection, { ...open, schema })} ORDER BY ALL`);
  });
}

/** A change that somebody else makes. */
async function evolve(lab: SinkWorld, ...changes: readonly SchemaChange[]): Promise<void> {
  const table = await lab.load();
  let done = false;
  await commitUpdates(table, ({ schemas, ...metadata }) => {
    if (done) return null;
    done = true;
    const evolved = evolveSchema(currentSchema({ schemas, ...metadata }), changes, metadata);
    const schema = { ...evolved, schemaId: schemas.length };
    return [
      { action: 'add-schema', schema },
      { action: 'set-current-schema', schemaId: LAST_ADDED },
    ];
  });
}

const identifier = { namespace: ['ns'], name: 't' };

describe('a sink that may change the schema', () => {
  test('a record that asks for what no schema can have is no row, and leaves the others alone', async () => {
    const lab = await world({ 'id!': 'int', n: 'int' });
    const sink = await lab.sink({ evolveSchema: true });
    const records = json(
      '{"id": 1, "weight": 1e400}',
      '{"id": 2, "n": 1e400}',
      '{"id": 3, "": 1}',
      '{"id": 4, "size": 1, "Size": 2}',
      `{"id": 7, "tree": ${'{"a":'.repeat(3_000)}1${'}'.repeat(3_000)}}`,
      `{"id": 8, "grid": ${'['.repeat(25)}1${']'.repeat(25)}}`,
      { id: 5, size: 7 },
      { id: 6, n: 3_000_000_000 },
    );
    await sink.writer(0).writeBatch(records());
    const { rows, rejected } = await sink.flush();
    expect([rows, rejected.map(({ reason }) => reason)]).toEqual([
      2n,
      ['EXTRA_FIELD', 'OUT_OF_RANGE', 'EXTRA_FIELD', 'EXTRA_FIELD', 'EXTRA_FIELD', 'EXTRA_FIELD'],
    ]);
    expect(await columnsOf(lab)).toEqual(['id! int', 'n long', 'size long']);
    expect(await lab.rowsOf(identifier, 'id, n, size')).toEqual(
      [
        [5n, null, 7n],
        [6n, 3_000_000_000n, null],
      ].map(([id, ...others]) => [Number(id), ...others]),
    );
    await sink.close();
  });

  test('a field named like a column that keeps the records asks for nothing, and what is no row then is kept with its error', async () => {
    const lab = await world({ id: 'int', raw: 'string', error: 'string' });
    const sink = await lab.sink({ evolveSchema: true });
    const records = json({ id: 1, raw: 2 }, { id: 3, size: 4 });
    await sink.writer(0).writeBatch(records({ raw: 'raw', error: 'error', badRecords: undefined }));
    expect((await sink.flush()).rows).toBe(2n);
    expect(await columnsOf(lab)).toEqual(['id int', 'raw string', 'error string', 'size long']);
    expect(await lab.rowsOf(identifier, 'id, size, raw, error')).toEqual([
      [3, 4n, '{"id":3,"size":4}', null],
      [null, null, '{"id":1,"raw":2}', 'EXTRA_FIELD: a, byte 0: no column takes "raw"'],
    ]);
    await sink.close();
  });

  test('a decimal becomes longer for a number whose double is printed with an exponent', async () => {
    const lab = await world({ 'id!': 'int', price: 'decimal(5,2)' });
    const sink = await lab.sink({ evolveSchema: true });
    const records = json(
      '{"id": 1, "price": 1234567890123456789012.5}',
      '{"id": 2, "price": -98765432109876543210987.25}',
      // More digits behind the point than the column has, and more digits than any decimal has.
      '{"id": 3, "price": 123456789012345678901234.125}',
      '{"id": 4, "price": 1234567890123456789012345678901234567.5}',
      '{"id": 5, "price": 1.5e21}',
      '{"id": 6, "price": 12345678901234567.125}',
    );
    await sink.writer(0).writeBatch(records());
    const { rows, rejected } = await sink.flush();
    expect(await columnsOf(lab)).toEqual(['id! int', 'price decimal(25, 2)']);
    expect([rows, rejected.map(({ reason }) => reason)]).toEqual([3n, Array(3).fill('OUT_OF_RANGE')]);
    expect(await lab.rowsOf(identifier, 'id, price::VARCHAR')).toEqual([
      [1, '1234567890123456789012.50'],
      [2, '-98765432109876543210987.25'],
      [5, '1500000000000000000000.00'],
    ]);
    await sink.close();
  });

  test('adds columns, widens types and takes nulls where records ask for it, before their batch', async () => {
    const lab = await world({ 'id!': 'int', 'device!': 'string', price: 'decimal(5,2)', f: 'float' });
    const sink = await lab.sink({ evolveSchema: true });
    const records = json(
      { id: 1, device: 'a', price: 1.5, f: 0.5 },
      { id: 3_000_000_000, device: 'b', price: 12345.67 },
      { id: 2, device: null },
      { id: 4, device: 'd', firmware: '1.2', where: { lat: 1.5 }, tags: [1, 2] },
      '{"id": 5, "dev',
    );
    await sink.writer(0).writeBatch(records());
    const commit = await sink.flush();
    expect([commit.rows, commit.rejected.map(({ reason }) => reason)]).toEqual([4n, ['MALFORMED_JSON']]);
    expect(await columnsOf(lab)).toEqual([
      ...['id! long', 'device string', 'price decimal(7, 2)', 'f float', 'firmware string'],
      ...['where struct<lat: double>', 'tags list<long>'],
    ]);
    const rows = await lab.rowsOf(identifier, 'id, device, price::VARCHAR, firmware, "where".lat, tags::VARCHAR');
    expect(rows).toEqual([
      [1n, 'a', '1.50', null, null, null],
      [2n, null, null, null, null, null],
      [4n, 'd', null, '1.2', 1.5, '[1, 2]'],
      [3_000_000_000n, 'b', '12345.67', null, null, null],
    ]);
    // The same again asks for nothing.
    await sink.writer(0).writeBatch(json({ id: 6, firmware: 'x' })());
    await sink.close();
    expect((await lab.load()).metadata.schemas).toHaveLength(2);
  });

  test('leaves out what no change of a schema makes a row', async () => {
    const lab = await world({ 'id!': 'int', ok: 'boolean', price: 'decimal(5,2)' });
    const sink = await lab.sink({ evolveSchema: true });
    await sink
      .writer(0)
      .writeBatch(json({ id: 1.5 }, { id: 1, ok: 'x' }, { id: 2, price: 0.125 }, { id: 3, ID: 4 }, { id: '9e99' })());
    const { rows, rejected } = await sink.flush();
    expect([rows, rejected.map(({ reason }) => reason)]).toEqual([
      0n,
      ['OUT_OF_RANGE', 'WRONG_TYPE', 'OUT_OF_RANGE', 'EXTRA_FIELD', 'WRONG_TYPE'],
    ]);
    expect(await columnsOf(lab)).toEqual(['id! int', 'ok boolean', 'price decimal(5, 2)']);
  });

  test('adds nothing for a field beside a path, and takes another value in the place of an object for no null', async () => {
    const lab = await world({ 'id!': 'int', 'n!': 'int' });
    const sink = await lab.sink({ evolveSchema: true });
    const records = json(
      ...[
        { id: 1, up: { n: 1 } },
        { id: 2, up: { n: 2, fw: 3 } },
        { id: 3, up: { n: 3 }, size: 4 },
      ],
      { id: 4, up: 'oops' },
    );
    await sink.writer(0).writeBatch(records({ fields: { n: 'up.n' } }));
    const { rows, rejected } = await sink.flush();
    expect([rows, rejected.map(({ reason, message }) => [reason, message])]).toEqual([
      2n,
      [
        ['EXTRA_FIELD', 'a, byte 22: no column takes "up.fw"'],
        ['WRONG_TYPE', 'a, byte 82: column "n": "oops" at up is no object'],
      ],
    ]);
    expect(await columnsOf(lab)).toEqual(['id! int', 'n! int', 'size long']);
    await sink.close();
  });

  test('adds no column for a field that is null, in the record or in all of them, before a value says its type', async () => {
    const lab = await world({ 'id!': 'int' });
    const sink = await lab.sink({ evolveSchema: true });
    const write = async (...records: readonly unknown[]) => {
      await sink.writer(0).writeBatch(json(...records)());
      const { rows, rejected } = await sink.flush();
      return [rows, rejected.map(({ reason }) => reason), await columnsOf(lab)];
    };
    const [id, added] = ['id! int', ['size long', 'name string']];
    expect(await write({ id: 1, size: null }, { id: 2, size: null, name: null })).toEqual([2n, [], [id]]);
    expect(await write({ id: 3, size: null, name: 'x' }, { id: 4, size: 7 }, { id: 5, late: null })).toEqual([
      ...[3n, [], [id, ...added.toReversed()]],
    ]);
    expect(await write({ id: 6, ID: null }, '{"id": 7, "late": null, "late": 1}', { id: 8, size: 9 })).toEqual([
      ...[2n, ['DUPLICATE_FIELD'], [id, ...added.toReversed()]],
    ]);
    await sink.close();
    expect(await lab.rowsOf(identifier, 'id, size, name')).toEqual([
      [1, null, null],
      [2, null, null],
      [3, null, 'x'],
      [4, 7n, null],
      [5, null, null],
      [6, null, null],
      [8, 9n, null],
    ]);
  });

  test('changes nothing for a record that is no row after all, and what others ask for as well', async () => {
    const lab = await world({ 'id!': 'int', 'a!': 'string', 'b!': 'int', price: 'decimal(5,2)', ok: 'boolean' });
    const sink = await lab.sink({ evolveSchema: true });
    const row = { id: 1, a: 'a', b: 1 };
    await sink.writer(0).writeBatch(
      json(
        ...[
          { ...row, a: null, ok: 'no' },
          { ...row, b: 3_000_000_000, ok: 'no' },
          { ...row, price: 12345.67, ok: 'no' },
          { ...row, size: 1, ok: 'no' },
          { ...row, id: 2, weight: 'heavy' },
          { ...row, weight: 5, ok: 'no' },
        ],
      )(),
    );
    const { rows, rejected } = await sink.flush();
    expect([rows, rejected.map(({ reason }) => reason)]).toEqual([
      1n,
      ['MISSING_REQUIRED', 'OUT_OF_RANGE', 'OUT_OF_RANGE', 'EXTRA_FIELD', 'WRONG_TYPE'],
    ]);
    expect(await columnsOf(lab)).toEqual([
      ...['id! int', 'a! string', 'b! int', 'price decimal(5, 2)', 'ok boolean', 'weight string'],
    ]);
    await sink.writer(0).writeBatch(json({ ...row, a: null, ok: 'no' }, { ...row, id: 3, a: null })());
    expect((await sink.flush()).rows).toBe(1n);
    expect((await columnsOf(lab))[1]).toBe('a string');
    await sink.close();
  });

  test('goes by the types of Arrow data', async () => {
    const lab = await world({ 'id!': 'int', 'f!': 'float', 'gone!': 'string' });
    const sink = await lab.sink({ evolveSchema: true });
    const table = new Table({
      id: vectorFromArray([1n, 2n], new Int64()),
      f: vectorFromArray([0.1, null], new Float64()),
      more: vectorFromArray(['x', null], new Utf8()),
    });
    await sink.writer(0).writeBatch(arrowRecords(table));
    await sink.close();
    expect(await columnsOf(lab)).toEqual(['id! long', 'f double', 'gone string', 'more string']);
    expect(await lab.rowsOf(identifier, 'id, f, gone, more')).toEqual([
      [1n, 0.1, null, 'x'],
      [2n, null, null, null],
    ]);
  });

  test('makes no column optional for a null of an Arrow row that is none after all', async () => {
    const lab = await world({ 'id!': 'long', 'a!': 'string', 'b!': 'string', small: 'long' });
    const sink = await lab.sink({ evolveSchema: true });
    const table = new Table({
      id: vectorFromArray([1n, 2n, 3n], new Int64()),
      a: vectorFromArray(['x', null, 'x'], new Utf8()),
      b: vectorFromArray(['x', null, null], new Utf8()),
      small: vectorFromArray([1n, 2n ** 63n, 3n], new Uint64()),
    });
    await sink.writer(0).writeBatch(arrowRecords(table, { badRecords: 'drop' }));
    const { rows, rejected } = await sink.flush();
    expect([rows, rejected.map(({ message }) => message)]).toEqual([
      2n,
      ['arrow, row 1: column "a" is required, and has no value'],
    ]);
    expect(await columnsOf(lab)).toEqual(['id! long', 'a! string', 'b string', 'small long']);
    await sink.close();
  });

  test('keeps identifier fields required, with what they lie in: a record without one is no row', async () => {
    const struct = { type: 'struct', fields: [{ id: 3, name: 'id', required: true, type: 'int' }] };
    const fields = [
      { id: 1, name: 'id', required: true, type: 'int' },
      { id: 2, name: 'who', required: true, type: struct },
      { id: 4, name: 'v', required: true, type: 'int' },
    ];
    const schema = parseSchema({ type: 'struct', 'schema-id': 0, 'identifier-field-ids': [1, 3], fields });
    const lab = await SinkWorld.open(engine, { schema, partitionSpec: { specId: 0, fields: [] } });
    const sink = await lab.sink({ evolveSchema: true });
    await sink.writer(0).writeBatch(json({ who: { id: 1 }, v: 1 }, { id: 2, v: 2 }, { id: 3, who: { id: 3 } })());
    const { rows, rejected } = await sink.flush();
    expect([rows, rejected.map(({ reason }) => reason)]).toEqual([1n, ['MISSING_REQUIRED', 'MISSING_REQUIRED']]);
    expect(await columnsOf(lab)).toEqual(['id! int', 'who! struct<id: int>', 'v int']);
    await sink.close();
  });

  test('takes in a record that has none of very many required columns', async () => {
    const names = Array.from({ length: 130 }, (_, index) => `c${index}`);
    const lab = await world(Object.fromEntries(names.map((name) => [`${name}!`, 'int'])));
    const sink = await lab.sink({ evolveSchema: true });
    const record = Object.fromEntries(names.map((name) => [name, 3_000_000_000]));
    await sink.writer(0).writeBatch(json({}, record)());
    expect(await sink.flush()).toMatchObject({ rows: 2n, rejected: [] });
    expect(await columnsOf(lab)).toEqual(names.map((name) => `${name} long`));
    expect((await lab.load()).metadata.schemas).toHaveLength(2);
    await sink.close();
  });

  test('adds no column with the name of a partition field: other engines would not load the table', async () => {
    const schema = schemaOf({ 'id!': 'int', at: 'timestamptz' });
    const lab = await SinkWorld.open(engine, { schema, partitionSpec: parsePartitionSpec('day(at)', schema) });
    const sink = await lab.sink({ evolveSchema: true });
    const at = '2026-03-01T00:00:00Z';
    await sink.writer(0).writeBatch(json({ id: 1, at, at_day: '2026-03-01' }, { id: 2, at, size: 3 })());
    const { rows, rejected } = await sink.flush();
    expect([rows, rejected.map(({ reason }) => reason)]).toEqual([1n, ['EXTRA_FIELD']]);
    expect(await columnsOf(lab)).toEqual(['id! int', 'at timestamptz', 'size long']);
    await sink.close();
  });

  test('adds no column of a type that the table’s version does not have', async () => {
    const rows = new Table({
      id: vectorFromArray([1], new Int32()),
      at: new Vector([makeData({ type: new TimestampNanosecond(), length: 1, data: BigInt64Array.of(1n) })]),
    });
    const before = await world({ 'id!': 'int' });
    const sink = await before.sink({ evolveSchema: true });
    await sink.writer(0).writeBatch(arrowRecords(rows));
    expect(await rejectionCode(sink.flush())).toBe('SCHEMA_INVALID');
    expect((await before.load()).metadata.schemas).toHaveLength(1);
    const spec = { specId: 0, fields: [] };
    const lab = await SinkWorld.open(engine, {
      ...{ schema: schemaOf({ 'id!': 'int' }), partitionSpec: spec, formatVersion: 3 },
    });
    const next = await lab.sink({ evolveSchema: true });
    await next.writer(0).writeBatch(arrowRecords(rows));
    await next.close();
    expect(await columnsOf(lab)).toEqual(['id! int', 'at timestamp_ns']);
  });

  test('adds no column of Arrow data that differs from one of the table by letter case only', async () => {
    const lab = await world({ 'id!': 'int', Size: 'int' });
    const sink = await lab.sink({ evolveSchema: true });
    const rows = new Table({ id: vectorFromArray([1], new Int32()), size: vectorFromArray([2], new Int32()) });
    await sink.writer(0).writeBatch(arrowRecords(rows));
    expect(await rejectionCode(sink.flush())).toBe('COLUMN_NOT_FOUND');
    expect(await columnsOf(lab)).toEqual(['id! int', 'Size int']);
  });

  test('adds to what others have changed at the same moment', async () => {
    const lab = await world({ id: 'int' });
    const sink = await lab.sink({ evolveSchema: true });
    await sink.writer(0).writeBatch(json({ id: 1, mine: 'x' })());
    lab.faults.push(async (commit) => {
      await evolve(lab, { change: 'add', name: 'theirs', type: { kind: 'long' } });
      return await commit();
    });
    await sink.close();
    expect(await columnsOf(lab)).toEqual(['id int', 'theirs long', 'mine string']);
    expect(await lab.rowsOf(identifier, 'id, mine')).toEqual([[1, 'x']]);
  });
});

describe('a schema that others change', () => {
  test('is that of the next batch', async () => {
    const lab = await world({ id: 'int' });
    const sink = await lab.sink();
    await sink.writer(0).writeBatch(json({ id: 1 })());
    await sink.flush();
    await evolve(lab, { change: 'add', name: 'v', type: { kind: 'string' } });
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    await sink.writer(0).writeBatch(json({ id: 2, v: 'x' })());
    expect((await sink.flush()).rejected).toEqual([]);
    expect(await lab.rowsOf(identifier, 'id, v')).toEqual([
      [1, null],
      [2, 'x'],
    ]);
  });

  test('between staging and commit may leave the files as they are, or they are written again', async () => {
    const lab = await world({ id: 'int', v: 'string', w: 'long' });
    const sink = await lab.sink();
    for (const [id, change] of [
      { change: 'add', name: 'new', type: { kind: 'long' } },
      { change: 'rename', column: 'v', newName: 'renamed' },
      { change: 'promote', column: 'id', type: { kind: 'long' } },
      { change: 'drop', column: 'w' },
    ].entries() as IterableIterator<[number, SchemaChange]>) {
      const column = id <= 1 ? 'v' : 'renamed';
      await sink.writer(0).writeBatch(json({ id, [column]: `x${id}`, ...(id < 3 ? { w: 7 } : {}) })());
      let staged: readonly string[] = [];
      lab.faults.push(async (commit) => {
        staged = await filesOf(lab);
        await evolve(lab, change);
        return await commit();
      });
      await sink.flush();
      // They are not written anew: each is found by field id.
      expect((await lab.paths()).toSorted()).toEqual(staged.toSorted());
      expect(staged.length).toBe(id + 1);
    }
    expect(await columnsOf(lab)).toEqual(['id long', 'renamed string', 'new long']);
    expect(await scanned(lab)).toEqual([
      [0n, 'x0', null],
      [1n, 'x1', null],
      [2n, 'x2', null],
      [3n, 'x3', null],
    ]);
    // A column that is dropped and made anew as a required one: nothing that Iceberg allows, but a catalog may do it.
    await lab.fixture.catalog.commitTable(identifier, {
      requirements: [],
      updates: await withRequired(lab, false),
    });
    await sink.writer(0).writeBatch(json({ id: 4, renamed: 'y' }, { id: 5 })());
    lab.faults.push(async (commit) => {
      await lab.fixture.catalog.commitTable(identifier, { requirements: [], updates: await withRequired(lab, true) });
      return await commit();
    });
    const { rows, rejected } = await sink.flush();
    expect([rows, rejected.map(({ reason }) => reason)]).toEqual([1n, ['MISSING_REQUIRED']]);
  });

  test('keeps a checkpoint from being committed if its rows do not fit any more, and says which fields', async () => {
    const lab = await world({ id: 'int', renamed: 'string' });
    const sink = await lab.sink();
    await sink.writer(0).writeBatch(json({ id: 5 })());
    const state = JSON.parse(JSON.stringify(await sink.snapshot())) as SinkSnapshot;
    await lab.fixture.catalog.commitTable(identifier, { requirements: [], updates: await withRequired(lab, true) });
    const next = await lab.sink();
    const failure = await next.restore(state).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'SINK_SCHEMA_CHANGED', details: { fields: ['renamed is required now'] } });
    expect(await lab.rowsOf(identifier, 'id')).toEqual([]);
  });
});

test('a partition spec that others change is that of the next batch, beside the files of the old one', async () => {
  const lab = await SinkWorld.open(engine);
  const sink = await lab.sink();
  await sink.writer(0).writeBatch(...span('p', 0, 6));
  await sink.flush();
  const { metadata } = await lab.load();
  const spec = { ...parsePartitionSpec('bucket[2](id)', currentSchema(metadata)), specId: 1 };
  const partitionSpec = { ...spec, fields: spec.fields.map((field) => ({ ...field, fieldId: 1001 })) };
  await lab.fixture.catalog.commitTable(identifier, {
    requirements: [],
    updates: [
      { action: 'add-spec', spec: partitionSpec },
      { action: 'set-default-spec', specId: 1 },
    ],
  });
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  await sink.writer(0).writeBatch(...span('p', 6, 12));
  const { snapshotId } = await sink.flush();
  expect((await lab.summaryOf(snapshotId)).get('added-data-files')).toBe('2');
  expect(await lab.ids()).toEqual(Array.from({ length: 12 }, (_, id) => id));
});

/** Updates that set a schema in which the column `renamed` is required, or optional. */
async function withRequired(lab: SinkWorld, required: boolean) {
  const { metadata } = await lab.load();
  const schema = currentSchema(metadata);
  const fields = schema.fields.map((field) => (field.name === 'renamed' ? { ...field, required } : field));
  const schemaId = metadata.schemas.length;
  return [
    { action: 'add-schema', schema: { ...schema, schemaId, fields } },
    { action: 'set-current-schema', schemaId: LAST_ADDED },
  ] as const;
}
