/**
 * PyIceberg and DuckDB's iceberg extension read what a sink wrote: appended to partitions, upserted with position deletes and with deletion vectors, and partitioned
 * by columns whose ids are not their places. For Spark see sink-spark.test.ts and sink-upsert-row-ids.test.ts.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';
import { jsonObjects } from '../../client/index.js';
import {
  currentSchema,
  currentSnapshot,
  evolveSchema,
  LAST_ADDED,
  parsePartitionSpec,
  parseSchema,
} from '../../iceberg/index.js';
import { IcebergSink, type SinkOptions } from '../../sink/index.js';
import { readManifestEntries, readSnapshotManifests } from '../../tables/index.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop, python } from '../support/python.js';
import { pythonEnvironment } from '../support/python-environment.js';
import { openTableWorld, schemaOf, type TableWorld } from '../support/table-world.js';
import { Random } from '../worlds/random.js';

const run = promisify(execFile);

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'device', required: true, type: 'string' },
    { id: 2, name: 'at', required: false, type: 'timestamptz' },
    { id: 3, name: 'n', required: true, type: 'long' },
  ],
});
const DAY_MS = 86_400_000;

type Read = { readonly rows: readonly (readonly (string | null)[])[] } | { readonly error: string };

/** Tables by their metadata files, as PyIceberg or DuckDB reads them: sorted rows, all values texts, points in time as microseconds. */
async function readAll(reader: 'pyiceberg' | 'duckdb', locations: readonly string[]): Promise<readonly Read[]> {
  const program = join(projectRoot, 'test/interop/programs/read_worlds.py');
  const interpreter =
    reader === 'duckdb'
      ? pythonEnvironment(join(projectRoot, 'test/interop/requirements-duckdb.txt'))
      : (inject('python') ?? '');
  const { stdout } = await run(interpreter, ['-W', 'ignore', program, reader, ...locations], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '[]') as Read[];
}

interface Reading {
  readonly device: string;
  readonly at: Date | null;
  readonly n: number;
}

/** Readings of 60 devices over four days around 1970, in random order, some without a time. */
function readings(count: number): readonly Reading[] {
  const random = new Random('readers');
  return Array.from({ length: count }, (_, n) => {
    const at = random.int(1, 20) === 1 ? null : new Date(random.int(-2 * DAY_MS, 2 * DAY_MS - 1));
    return { device: `dé😀-${random.int(1, 60)}`, at, n };
  });
}

/** A row as {@link readAll} gives it. */
const rowOf = ({ device, at, n }: Reading): readonly (string | null)[] => [
  device,
  at === null ? null : String(at.getTime() * 1000),
  String(n),
];

/** A floating-point number as {@link readAll} gives it. */
function hex(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}

const sorted = (rows: readonly (readonly (string | null)[])[]): readonly string[] =>
  rows.map((row) => JSON.stringify(row)).sort();

/** Of each device the last of those with the highest time. */
function newest(all: readonly Reading[]): readonly Reading[] {
  const rows = new Map<string, Reading>();
  const time = ({ at }: Reading): number => at?.getTime() ?? -Infinity;
  for (const reading of all) {
    const before = rows.get(reading.device);
    if (before === undefined || time(reading) >= time(before)) rows.set(reading.device, reading);
  }
  return [...rows.values()];
}

/** Writes readings in batches of 100 through two writers. */
async function write(world: TableWorld, name: string, all: readonly Reading[], options: Partial<SinkOptions> = {}) {
  const table = { namespace: ['demo'], name };
  const manual = { batchSize: Infinity, batchIntervalMs: Infinity };
  const sink = await IcebergSink.open(world, { table, name: 's', numPartitions: 2, ...manual, ...options });
  for (let from = 0; from < all.length; from += 50) {
    const range = { partition: 'p', from: BigInt(from) };
    const part = all.slice(from, from + 50).map((reading) => ({ ...reading }));
    const to = BigInt(from + part.length);
    await sink.writer((from / 50) % 2).writeBatch(jsonObjects(part, range), { ...range, to });
    if (from % 100 === 50) await sink.flush();
  }
  await sink.close();
}

/** Formats of the delete files that the current snapshot lists. */
async function deleteFormats(world: TableWorld, name: string): Promise<readonly string[]> {
  const { metadata, io } = await world.load(name);
  const manifests = await readSnapshotManifests(io, currentSnapshot(metadata));
  const formats = new Set<string>();
  for (const manifest of manifests.filter(({ content }) => content === 'deletes'))
    for (const { status, dataFile } of await readManifestEntries(io, metadata, manifest))
      if (status !== 'deleted') formats.add(`${dataFile.content} ${dataFile.fileFormat}`);
  return [...formats];
}

describeInterop('PyIceberg and DuckDB read the table of a sink', () => {
  test('that appends to partitions, and that upserts with position deletes and with deletion vectors', async () => {
    const world = await openTableWorld();
    const all = readings(600);
    const upsert = { key: ['device'], order: 'at' };
    await world.create('appended', SCHEMA, 'day(at), bucket[4](device)');
    await write(world, 'appended', all);
    await world.create('upserted', SCHEMA, 'day(at)');
    await write(world, 'upserted', all, { upsert });
    await world.create('upserted3', SCHEMA, 'day(at)', 3);
    await write(world, 'upserted3', all, { upsert });
    expect(await deleteFormats(world, 'appended')).toEqual([]);
    expect(await deleteFormats(world, 'upserted')).toEqual(['position-deletes PARQUET']);
    expect(await deleteFormats(world, 'upserted3')).toEqual(['position-deletes PUFFIN']);
    const expected = [all, newest(all), newest(all)].map((rows) => sorted(rows.map(rowOf)));
    expect(expected.map(({ length }) => length)).toEqual([600, 60, 60]);
    const names = ['appended', 'upserted', 'upserted3'];
    const locations = await Promise.all(names.map(async (name) => (await world.load(name)).metadataLocation));
    for (const reader of ['pyiceberg', 'duckdb'] as const)
      for (const [index, read] of (await readAll(reader, locations)).entries())
        expect
          .soft('error' in read ? read.error : sorted(read.rows), `${reader} ${names[index]}`)
          .toEqual(expected[index]);
  });

  test('that has changed its schema: columns that were added, wider ones, and one that may be null', async () => {
    const world = await openTableWorld();
    const table = { namespace: ['demo'], name: 'widened' };
    const fields = [
      { id: 1, name: 'id', required: true, type: 'int' },
      { id: 2, name: 'device', required: true, type: 'string' },
      { id: 3, name: 'price', required: false, type: 'decimal(5,2)' },
      { id: 4, name: 'f', required: false, type: 'float' },
    ];
    await world.create('widened', parseSchema({ type: 'struct', 'schema-id': 0, fields }), 'truncate[1](device)');
    const sink = await IcebergSink.open(world, { table, name: 's', evolveSchema: true });
    const batches = [
      [{ id: 1, device: 'a', price: 1.5, f: 0.5 }],
      [
        { id: 3_000_000_000, device: 'b', price: 1234567.25, f: 1e300 },
        { id: 2, device: null, fw: '1.2', at: { lat: 1.5 } },
      ],
    ];
    for (const batch of batches) {
      await sink.writer(0).writeBatch(jsonObjects(batch));
      await sink.flush();
    }
    await sink.close();
    const { metadata, metadataLocation } = await world.load('widened');
    expect(metadata.schemas).toHaveLength(2);
    for (const reader of ['pyiceberg', 'duckdb'] as const) {
      const [read] = await readAll(reader, [metadataLocation]);
      const rows = read !== undefined && 'rows' in read ? read.rows : [[JSON.stringify(read)]];
      expect.soft(sorted(rows.map((row) => row.slice(0, 5))), reader).toEqual(
        sorted([
          ['1', 'a', '150', hex(0.5), null],
          ['3000000000', 'b', '123456725', hex(1e300), null],
          ['2', null, null, null, '1.2'],
        ]),
      );
    }
  });

  test('that is partitioned by columns whose ids are not their places, from records without the derived fields', async () => {
    const world = await openTableWorld();
    const table = { namespace: ['demo'], name: 'evolved' };
    await world.create('evolved', schemaOf({ id: 'long', old_time: 'timestamptz', old_tag: 'string', v: 'int' }));
    const { metadata } = await world.load('evolved');
    const changes = [
      { change: 'drop', column: 'old_time' },
      { change: 'drop', column: 'old_tag' },
      { change: 'add', name: 'event_timestamp', type: { kind: 'timestamptz' } },
      { change: 'add', name: 'tag', type: { kind: 'string' } },
    ] as const;
    const schema = { ...evolveSchema(currentSchema(metadata), changes, metadata), schemaId: 1 };
    expect(schema.fields.map(({ id, name }) => `${id} ${name}`)).toEqual(['1 id', '4 v', '5 event_timestamp', '6 tag']);
    // By the third place it would be the day of a text, by the fourth the bucket of a number.
    const spec = { ...parsePartitionSpec('day(#5), #4, bucket[8](#6), truncate[2](tag)', schema), specId: 1 };
    await world.catalog.commitTable(table, {
      requirements: [],
      updates: [
        { action: 'add-schema', schema },
        { action: 'set-current-schema', schemaId: LAST_ADDED },
        { action: 'add-spec', spec },
        { action: 'set-default-spec', specId: LAST_ADDED },
      ],
    });
    const records = Array.from({ length: 24 }, (_, id) => ({
      id,
      v: id % 3 === 2 ? null : -(id % 3),
      event_timestamp: new Date((id % 4) * DAY_MS - 1),
      tag: ['😀😁😂', 'aß', ''][id % 3] ?? '',
    }));
    const sink = await IcebergSink.open(world, { table, name: 's' });
    await sink.writer(0).writeBatch(jsonObjects(records));
    await sink.close();
    const { metadataLocation } = await world.load('evolved');
    const expected = records.map(({ id, v, event_timestamp: at, tag }) => [
      String(id),
      v === null ? null : String(v),
      String(at.getTime() * 1000),
      tag,
    ]);
    for (const reader of ['pyiceberg', 'duckdb'] as const) {
      const [read] = await readAll(reader, [metadataLocation]);
      expect.soft(read !== undefined && 'rows' in read ? sorted(read.rows) : read, reader).toEqual(sorted(expected));
    }
    const { problems, partitions } = await python<{
      problems: readonly string[];
      partitions: readonly Readonly<Record<string, unknown>>[];
    }>('read_ours.py', world.catalogUri, world.warehouse, 'demo.evolved');
    // PyIceberg has computed the values of all partition fields from the rows.
    expect(problems).toEqual([]);
    const days = ['1969-12-31', '1970-01-01', '1970-01-02', '1970-01-03'];
    const tags = [
      { v: 0, tag_trunc: '😀😁' },
      { v: -1, tag_trunc: 'aß' },
      { v: null, tag_trunc: '' },
    ];
    const text = (values: readonly unknown[]): readonly string[] => values.map((value) => JSON.stringify(value)).sort();
    expect(text(partitions.map(({ event_timestamp_day: day, v, tag_trunc }) => ({ day, v, tag_trunc })))).toEqual(
      text(days.flatMap((day) => tags.map((tag) => ({ day, ...tag })))),
    );
    expect(Object.keys(partitions[0] ?? {})).toEqual(['event_timestamp_day', 'v', 'tag_bucket', 'tag_trunc']);
  });
});
