/** A sink without a project, of objects and of Arrow data with a strict schema. */
import { join } from 'node:path';
import { Field, Int32, Int64, Schema, Table, Utf8, vectorFromArray } from 'apache-arrow';
import { expect, test } from 'vitest';
import { parquetReader } from '../../../engine/index.js';
import { currentSchema, currentSnapshot, defaultSpec } from '../../../iceberg/index.js';
import {
  arrowRecords,
  arrowSchema,
  createMoraine,
  type IcebergSinkConfig,
  jsonObjects,
  openIcebergSink,
  parseSchema,
  type RejectedRecord,
} from '../../../index.js';
import { openProject } from '../../../project/index.js';
import { planFiles } from '../../../tables/index.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'at', required: false, type: 'timestamptz' },
    { id: 3, name: 'device', required: false, type: 'string' },
    {
      id: 4,
      name: 'tags',
      required: false,
      type: { type: 'list', 'element-id': 5, element: 'string', 'element-required': false },
    },
  ],
});

function configOf(folder: string): IcebergSinkConfig {
  return {
    catalogUri: join(folder, 'catalog.db'),
    warehousePath: join(folder, 'warehouse'),
    tableName: 'iot.uplinks',
    schema: SCHEMA,
    partitionBy: ['day(at)', 'bucket[2](id)'],
    batchSize: 1_000,
    batchIntervalSeconds: 3600,
    numPartitions: 2,
    temporaryFolder: join(folder, 'tmp'),
    memoryLimit: '256MB',
    deadLetterTable: 'iot.dead',
  };
}

/** Tables as a project of the same catalog has them. */
async function tablesOf(folder: string): Promise<readonly string[]> {
  const { catalogUri = '', warehousePath = '' } = configOf(folder);
  const moraine = await createMoraine({
    config: { catalogs: { local: { uri: catalogUri, warehouse: warehousePath } } },
  });
  try {
    return (await moraine.tables()).map(({ name }) => name);
  } finally {
    await moraine.close();
  }
}

test('it creates its table, takes objects, and goes on where the table says when it is opened again', async () => {
  const folder = temporaryFolder();
  const first = await openIcebergSink(configOf(folder));
  const at = new Date('2026-03-01T12:00:00.123Z');
  const objects = [
    { id: 9223372036854775807n, at, device: 'é', tags: ['a', null] },
    { id: 2, at: null, device: undefined },
    { id: 1.5, at },
  ];
  const range = { partition: 'p', from: 10n };
  await first.sink.writer(0).writeBatch(jsonObjects(objects, { ...range, badRecords: 'drop' }), { ...range, to: 13n });
  await first.close();
  const commits: unknown[] = [];
  const again = await openIcebergSink({ ...configOf(folder), onCommit: ({ rows }) => commits.push(rows) });
  expect(again.sink.positions).toEqual(new Map([['p', 13n]]));
  expect(await again.sink.writer(1).writeBatch(jsonObjects(objects, range), { ...range, to: 13n })).toBe(false);
  await again.sink.writer(1).writeBatch(jsonObjects([{ id: 3 }]));
  await again.close();
  expect(commits).toEqual([1n]);
  expect(await tablesOf(folder)).toEqual(['iot.dead', 'iot.uplinks']);
});

test('an object with a value that JSON has not is bad, and no other; of zero the sign is kept', async () => {
  const folder = temporaryFolder();
  const columns = { n: 'long', d: 'double', at: 'timestamptz', s: 'string' };
  const fields = Object.entries(columns).map(([name, type], id) => ({ id: id + 1, name, required: false, type }));
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields });
  const config = { ...configOf(folder), schema, partitionBy: [] };
  const none = new Date(Number.NaN);
  const objects = [
    { n: 0, d: -0 },
    { n: 1, d: Number.NaN },
    { n: 2, s: 'NaN,}', d: 'NaN' },
    { n: 3, at: [{ x: none }] },
    { n: -0, d: 1e21 },
    { n: 5, s: Number.NEGATIVE_INFINITY },
    { n: 6, at: none },
    { n: 7, s: none },
    { n: 8, d: -1e-7, at: new Date(-1) },
  ];
  const rejected: RejectedRecord[] = [];
  const opened = await openIcebergSink({ ...config, onCommit: (commit) => rejected.push(...commit.rejected) });
  const range = { partition: 'p', from: 100n };
  await opened.sink
    .writer(0)
    .writeBatch(jsonObjects(objects, { ...range, badRecords: 'drop' }), { ...range, to: 109n });
  await opened.close();
  expect(rejected.map(({ reason, position, raw }) => [reason, position?.offset, Buffer.from(raw).toString()])).toEqual([
    ['MALFORMED_JSON', 101n, '{"n":1,"d":NaN}'],
    ['MALFORMED_JSON', 103n, '{"n":3,"at":[{"x":Invalid Date}]}'],
    ['MALFORMED_JSON', 105n, '{"n":5,"s":-Infinity}'],
    ['MALFORMED_JSON', 106n, '{"n":6,"at":Invalid Date}'],
    ['MALFORMED_JSON', 107n, '{"n":7,"s":Invalid Date}'],
  ]);
  const project = await openProject({
    config: { catalogs: { local: { uri: config.catalogUri ?? '', warehouse: config.warehousePath ?? '' } } },
  });
  const table = await project.loadTable('iot.uplinks');
  const { files } = await planFiles(table, { snapshot: currentSnapshot(table.metadata), schema });
  const engine = await project.engine();
  // Past our own scan.
  const rows = await engine.withConnection((connection) =>
    connection.rows(
      `SELECT n::VARCHAR, d::VARCHAR, "at"::VARCHAR, s FROM ${parquetReader(files.map(({ file }) => file.filePath))} ORDER BY n, d`,
    ),
  );
  await project.close();
  expect(rows).toEqual([
    ['0', '-0.0', null, null],
    ['0', '1e+21', null, null],
    ['2', 'nan', null, 'NaN,}'],
    ['8', '-1e-07', '1969-12-31 23:59:59.999+00', null],
  ]);
});

test('an object that is not JSON stops the sink, which names its position', async () => {
  const opened = await openIcebergSink(configOf(temporaryFolder()));
  const range = { partition: 'p', from: 7n };
  const objects = [{ id: 1 }, { id: Number.POSITIVE_INFINITY }];
  await opened.sink.writer(0).writeBatch(jsonObjects(objects, range), { ...range, to: 9n });
  const error = await failureOf(opened.sink.flush());
  expect([error.code, error.message, error.details]).toEqual([
    'INPUT_UNREADABLE',
    'p, offset 8: {"id":Infinity} is not JSON.',
    { reason: 'MALFORMED_JSON', offset: '8' },
  ]);
  await failureOf(opened.close());
});

test('it partitions by columns whose field ids are given, and asks no record for what is derived of them', async () => {
  const folder = temporaryFolder();
  // By place, #7 would be nothing and #2 the device.
  const schema = parseSchema({
    type: 'struct',
    'schema-id': 0,
    fields: [
      { id: 2, name: 'event_timestamp', required: true, type: 'timestamptz' },
      { id: 9, name: 'device', required: true, type: 'string' },
      { id: 7, name: 'n', required: true, type: 'long' },
    ],
  });
  const config = { ...configOf(folder), schema, partitionBy: ['day(#2)', 'truncate[10](#7)', '#9'] };
  const opened = await openIcebergSink(config);
  const at = new Date('2026-03-01T23:59:59.999Z');
  await opened.sink.writer(0).writeBatch(jsonObjects([{ event_timestamp: at, device: '#7', n: -1 }]));
  await opened.close();
  const project = await openProject({
    config: { catalogs: { local: { uri: config.catalogUri ?? '', warehouse: config.warehousePath ?? '' } } },
  });
  const table = await project.loadTable('iot.uplinks');
  const { files } = await planFiles(table, {
    snapshot: currentSnapshot(table.metadata),
    schema: currentSchema(table.metadata),
  });
  await project.close();
  expect(defaultSpec(table.metadata).fields.map(({ name, sourceId }) => `${name} ${sourceId}`)).toEqual([
    'event_timestamp_day 1',
    'n_trunc 3',
    'device 2',
  ]);
  // Days since 1970: `date -d 2026-03-01 +%s` over 86,400.
  expect(files.map(({ file }) => file.partition)).toEqual([[20_513, -10n, '#7']]);
});

test('a record that is no row stops it where nothing else is said', async () => {
  const opened = await openIcebergSink(configOf(temporaryFolder()));
  await opened.sink.writer(0).writeBatch(jsonObjects([{ id: 1, nope: 2 }]));
  expect(await rejectionCode(opened.sink.flush())).toBe('COLUMN_NOT_FOUND');
  expect(await rejectionCode(opened.close())).toBe('COLUMN_NOT_FOUND');
});

test.each([
  ['a table that is not there, and no schema', { schema: undefined, partitionBy: undefined }, 'TABLE_NOT_FOUND'],
  ['partitions without a schema', { schema: undefined }, 'INVALID_ARGUMENT'],
  ['a transform that does not fit', { partitionBy: ['day(device)'] }, 'SCHEMA_INVALID'],
  ['a field id that no column has', { partitionBy: ['day(#7)'] }, 'COLUMN_NOT_FOUND'],
  ['a catalog of no such kind', { catalogType: 'rest' as const }, 'CONFIG_INVALID'],
  ['a batch of no size', { batchSize: 0 }, 'INVALID_ARGUMENT'],
])('%s is refused', async (_, wrong, code) => {
  const config = Object.entries({ ...configOf(temporaryFolder()), ...wrong }).filter(
    ([, value]) => value !== undefined,
  );
  expect(await rejectionCode(openIcebergSink(Object.fromEntries(config) as unknown as IcebergSinkConfig))).toBe(code);
});

test('Arrow data may be held to a schema, such as that of the table', async () => {
  const schema = await arrowSchema(SCHEMA);
  expect(schema.fields.map(({ name, type, nullable }) => `${name} ${String(type)} ${nullable}`)).toEqual([
    'id Int64 false',
    'at Timestamp<MICROSECOND, UTC> true',
    'device Utf8 true',
    'tags List<Utf8> true',
  ]);
  const wanted = new Schema([new Field('id', new Int64(), false), new Field('device', new Utf8(), true)]);
  const table = (fields: readonly Field[]) => {
    const columns = { id: vectorFromArray([1n], new Int64()), device: vectorFromArray(['x'], new Utf8()) };
    return new Table(
      new Schema([...fields]),
      Object.fromEntries(fields.map(({ name }) => [name, columns[name as 'id']])),
    );
  };
  const records = (...fields: readonly Field[]) => arrowRecords(table(fields), { schema: wanted });
  expect(records(new Field('id', new Int64(), false), new Field('device', new Utf8(), false)).count).toBe(1);
  expect(() => records(new Field('id', new Int64(), true), new Field('device', new Utf8(), true))).toThrow(
    'Column 1 of the Arrow data is id: Int64; the schema has id: Int64 not null.',
  );
  expect(() => records(new Field('id', new Int64(), false))).toThrow(
    'Column 2 of the Arrow data is missing; the schema has device: Utf8.',
  );
  expect(() => arrowRecords(new Table({ id: vectorFromArray([1], new Int32()) }), { schema: wanted })).toThrow(
    'Column 1 of the Arrow data is id: Int32; the schema has id: Int64 not null.',
  );
});

test('partitions without the columns of a table that is to be created name what is missing', async () => {
  const given = Object.entries(configOf(temporaryFolder())).filter(([name]) => name !== 'schema');
  const config = Object.fromEntries(given) as unknown as IcebergSinkConfig;
  await expect(openIcebergSink(config)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'partitionBy is for a table that is created: give its schema, too.',
  });
});
