/** Rows of a table of version 3 keep their row ids when a sink replaces them, on whatever state of the table the batch lands. */
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Engine, readableScanSql } from '../../../engine/index.js';
import { currentSchema, currentSnapshot, parseSchema } from '../../../iceberg/index.js';
import { fileToOpen, openFiles } from '../../../scans/index.js';
import { jsonRecords } from '../../../sink/index.js';
import { stageRows } from '../../../staging/index.js';
import { commitAppend, planFiles } from '../../../tables/index.js';
import { openSinkEngine, SinkWorld } from '../../support/sink-world.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

type Row = readonly [key: string, at: number];

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 3, name: 'key', required: true, type: 'string' },
    { id: 5, name: 'at', required: true, type: 'int' },
  ],
});

const world = (formatVersion: 2 | 3 = 3) =>
  SinkWorld.open(engine, { schema: SCHEMA, partitionSpec: { specId: 0, fields: [] }, formatVersion });
const open = (lab: SinkWorld) => lab.sink({ upsert: { key: ['key'], order: 'at' } });

function json(...rows: readonly Row[]) {
  const text = rows.map(([key, at]) => `${JSON.stringify({ key, at })}\n`).join('');
  return jsonRecords({ bytes: Buffer.from(text), count: rows.length, source: 'a', partition: undefined, from: 0n }, {});
}

/** By key: the value of `at`, the row id and the sequence number. */
async function rowsOf(lab: SinkWorld): Promise<Readonly<Record<string, readonly [number, bigint, bigint]>>> {
  const table = await lab.load();
  const [snapshot, schema] = [currentSnapshot(table.metadata), currentSchema(table.metadata)];
  const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
  return await engine.withConnection(async (connection) => {
    const scan = await openFiles(connection, table, files.map(fileToOpen));
    const extras = { rowId: 'row_id', sequenceNumber: 'updated' };
    const live = await readableScanSql(connection, { ...scan, schema, extras });
    const rows = await connection.rows(`SELECT "key", "at", row_id, updated FROM ${live}`);
    const found = rows.map(([key, ...values]) => [String(key), values] as const);
    expect(new Set(found.map(([, [, rowId]]) => rowId)).size).toBe(found.length);
    return Object.fromEntries(found) as unknown as Record<string, readonly [number, bigint, bigint]>;
  });
}

async function append(lab: SinkWorld, ...rows: readonly Row[]): Promise<void> {
  const table = await lab.load();
  const values = rows.map(([key, at]) => `('${key}', ${at}::INTEGER)`).join(', ');
  const files = await engine.withConnection((connection) =>
    stageRows(connection, table, { select: `SELECT * FROM (VALUES ${values})`, namePrefix: `x-${Math.random()}` }),
  );
  await commitAppend(table, { files });
}

test('ids follow the keys from batch to batch; late rows change nothing; new rows get new ids', async () => {
  const lab = await world();
  const sink = await open(lab);
  const upsert = async (...rows: readonly Row[]) => {
    await sink.writer(0).writeBatch(json(...rows));
    await sink.flush();
    return await rowsOf(lab);
  };
  // Snapshots are numbered from 1, and the claim is the first.
  const first = await upsert(['a', 5], ['b', 5], ['c', 5]);
  expect([first['a'], first['b'], first['c']]).toEqual([
    [5, 0n, 2n],
    [5, 1n, 2n],
    [5, 2n, 2n],
  ]);
  const second = await upsert(['b', 6], ['c', 4], ['d', 1]);
  const [, newId = -1n] = second['d'] ?? [];
  expect(newId).toBeGreaterThan(2n);
  expect(second).toEqual({ ...first, b: [6, 1n, 3n], d: [1, newId, 3n] });
  expect(await upsert(['b', 7], ['a', 7])).toEqual({ ...second, a: [7, 0n, 4n], b: [7, 1n, 4n] });
  // A batch of which no row stays.
  expect(await upsert(['b', 1], ['a', 1])).toEqual({ ...second, a: [7, 0n, 4n], b: [7, 1n, 4n] });
  await sink.close();
});

test('the ids are those of the state that the commit is built on, after a conflict and after a lost answer', async () => {
  const lab = await world();
  await append(lab, ['a', 1], ['b', 1]);
  const sink = await open(lab);
  await sink.writer(0).writeBatch(json(['a', 5], ['b', 5], ['c', 5]));
  lab.faults.push(
    async (commit) => {
      await append(lab, ['c', 1]);
      return await commit();
    },
    // Never arrives, and nobody says so.
    () => Promise.reject(new Error('the connection was reset')),
  );
  const { rows, superseded } = await sink.flush();
  expect([rows, superseded]).toEqual([3n, 0n]);
  const found = await rowsOf(lab);
  const sequenceNumber = found['a']?.[2] ?? -1n;
  // The row of c that was appended meanwhile has the third id.
  expect(found).toEqual({
    a: [5, 0n, sequenceNumber],
    b: [5, 1n, sequenceNumber],
    c: [5, 2n, sequenceNumber],
  });
  await sink.close();
});

test('a checkpoint gets its ids when it is committed, and keeps its files', async () => {
  const lab = await world();
  await append(lab, ['a', 1]);
  const sink = await open(lab);
  await sink.writer(0).writeBatch(json(['a', 2], ['b', 2]));
  const state = await sink.snapshot();
  await append(lab, ['b', 1]);
  const ids = await rowsOf(lab);
  await (await open(lab)).restore(state);
  const found = await rowsOf(lab);
  expect([found['a']?.[1], found['b']?.[1]]).toEqual([ids['a']?.[1], ids['b']?.[1]]);
  expect(state.batches.map(({ manifest }) => manifest !== null && existsSync(manifest))).toEqual([true]);
});

test('staged files that were written anew are gone after the commit', async () => {
  const lab = await world();
  const sink = await open(lab);
  for (const at of [1, 2, 3]) {
    await sink.writer(0).writeBatch(json(['a', at], ['b', at]));
    await sink.flush();
  }
  const names = readdirSync(lab.fixture.folder, { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => name.endsWith('.parquet'))).toHaveLength(3);
  await sink.close();
});

test('a table of version 2 has no ids, and its files no column for them', async () => {
  const lab = await world(2);
  const sink = await open(lab);
  for (const at of [1, 2]) {
    await sink.writer(0).writeBatch(json(['a', at]));
    await sink.flush();
  }
  expect(await rowsOf(lab)).toEqual({ a: [2, null, 3n] });
  const table = await lab.load();
  const schema = currentSchema(table.metadata);
  const { files } = await planFiles(table, { snapshot: currentSnapshot(table.metadata), schema, appliesDeletes: true });
  const paths = files.map(({ file }) => `'${file.filePath}'`).join(', ');
  const names = await engine.withConnection((connection) =>
    connection.rows(`SELECT DISTINCT name FROM parquet_schema([${paths}]) ORDER BY name`),
  );
  expect(names.flat()).toEqual(expect.not.arrayContaining(['_row_id']));
  await sink.close();
});
