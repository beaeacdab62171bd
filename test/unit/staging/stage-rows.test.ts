import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Connection, quoteLiteral, readableScanSql } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import { type DataFile, type TableUpdate, UNSORTED } from '../../../iceberg/index.js';
import { fileToOpen, localPathsOf, openFiles } from '../../../scans/index.js';
import { stageRows } from '../../../staging/index.js';
import { commitAppend, planFiles, selectSnapshot, type Table } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { openTableWorld, schemaOf, type TableWorld } from '../../support/table-world.js';
import { storedBelow } from '../../support/test-store.js';

const IDENTIFIER = { namespace: ['demo'], name: 't' };

/** A table `id: long, v: string` with these properties and changes. */
async function tableWith(
  properties: Readonly<Record<string, string>>,
  partitioning?: string,
  ...updates: readonly TableUpdate[]
): Promise<{ readonly world: TableWorld; readonly table: Table }> {
  const world = await openTableWorld();
  await world.create('t', schemaOf({ id: 'long', v: 'string' }), partitioning);
  const set = new Map(Object.entries(properties));
  await world.catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: set }, ...updates],
  });
  return { world, table: await world.load('t') };
}

/** Rows whose text does not compress. */
const rows = (count: number): string =>
  `SELECT (${count} - i)::BIGINT, sha256(i::VARCHAR) || sha256((i + 7)::VARCHAR) FROM range(${count}) t(i)`;

async function stage({ world, table }: Awaited<ReturnType<typeof tableWith>>, select: string, namePrefix = 'a') {
  const use = (connection: Connection) => stageRows(connection, table, { select, namePrefix });
  return await world.engine.withConnection(use);
}

/** Codecs and numbers of rows of a file's row groups, as DuckDB finds them. */
async function rowGroups({ world, table }: Awaited<ReturnType<typeof tableWith>>, file: DataFile | undefined) {
  const [path = ''] = await localPathsOf(table.io, [file?.filePath ?? '']);
  const sql = `SELECT DISTINCT row_group_id, compression, row_group_num_rows::INT FROM parquet_metadata(${quoteLiteral(path)}) ORDER BY 1`;
  return await world.engine.withConnection((connection) => connection.rows(sql));
}

test('files have the codec, and about the row groups, that the table asks for', async () => {
  const lab = await tableWith({
    'write.parquet.compression-codec': 'SNAPPY',
    'write.parquet.row-group-size-bytes': String(4096 * 40), // 8 bytes of a long and a guess of 32 for the text
  });
  const [file] = await stage(lab, rows(10_000));
  expect(await rowGroups(lab, file)).toEqual([
    [0n, 'SNAPPY', 4096],
    [1n, 'SNAPPY', 4096],
    [2n, 'SNAPPY', 1808],
  ]);
  const limited = await tableWith({ 'write.parquet.row-group-limit': '6144' });
  expect(await rowGroups(limited, (await stage(limited, rows(10_000)))[0])).toEqual([
    [0n, 'ZSTD', 6144],
    [1n, 'ZSTD', 3856],
  ]);
  const plain = await tableWith({});
  expect(await rowGroups(plain, (await stage(plain, rows(10)))[0])).toEqual([[0n, 'ZSTD', 10]]);
});

test.each([
  ['of small row groups', undefined, { 'write.parquet.row-group-size-bytes': '200000' }],
  ['of one row group', undefined, {}],
  ['in a partition', 'truncate[1000000](id)', {}],
])('files %s are cut at about the size that the table asks for', async (_, partitioning, properties) => {
  const lab = await tableWith({ 'write.target-file-size-bytes': '500000', ...properties }, partitioning);
  const files = await stage(lab, rows(50_000));
  expect(files.length).toBeGreaterThan(2);
  expect(files.reduce((sum, { recordCount }) => sum + recordCount, 0n)).toBe(50_000n);
  for (const { fileSizeInBytes } of files) expect(fileSizeInBytes).toBeLessThan(750_000n);
  await commitAppend(lab.table, { files });
  const ids = await idsOf(lab);
  expect(ids.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 50_000 }, (__, index) => index + 1));
});

/** Ids of a table's rows. */
async function idsOf({ world }: Awaited<ReturnType<typeof tableWith>>): Promise<readonly unknown[]> {
  const table = await world.load('t');
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const plan = await planFiles(table, { schema, snapshot });
  const found = await world.engine.withConnection(async (connection) => {
    const opened = await openFiles(connection, table, plan.files.map(fileToOpen));
    return connection.rows(`SELECT id FROM ${await readableScanSql(connection, { schema, ...opened })}`);
  });
  return found.flat();
}

test('rows lie in the order of the table, and their file says so, where the engine writes that order', async () => {
  const order = (nullOrder: 'nulls-first' | 'nulls-last'): readonly TableUpdate[] => [
    {
      action: 'add-sort-order',
      sortOrder: {
        orderId: 1,
        fields: [{ sourceId: 1, transform: { kind: 'identity' }, direction: 'asc', nullOrder }],
      },
    },
    { action: 'set-default-sort-order', sortOrderId: 1 },
  ];
  const staged = async (nulls: 'nulls-first' | 'nulls-last') => {
    const lab = await tableWith({}, undefined, ...order(nulls));
    const files = await stage(lab, rows(5));
    await commitAppend(lab.table, { files });
    return [files.map(({ sortOrderId }) => sortOrderId), await idsOf(lab)];
  };
  expect(await staged('nulls-last')).toEqual([[1], [1n, 2n, 3n, 4n, 5n]]);
  expect(await staged('nulls-first')).toEqual([[undefined], [5n, 4n, 3n, 2n, 1n]]);
  expect(UNSORTED.orderId).toBe(0);
});

test('files lie where the table wants them, under a hash for object storage', async () => {
  const lab = await tableWith({ 'write.object-storage.enabled': 'true' });
  const [file] = await stage(lab, rows(3));
  expect(file?.filePath.slice(lab.table.metadata.location.length)).toMatch(
    /^\/data(\/[01]{4}){3}\/[01]{8}\/a-0\.parquet$/,
  );
  expect(storedBelow(lab.table.metadata.location).filter((path) => path.startsWith('data/'))).toEqual([
    file?.filePath.slice(lab.table.metadata.location.length + 1),
  ]);
});

test('a name that is taken is refused, what was there stays, and nothing of the attempt remains', async () => {
  const lab = await tableWith({});
  const [file] = await stage(lab, rows(3));
  const before = storedBelow(lab.table.metadata.location);
  const content = async () =>
    createHash('sha256')
      .update(await lab.table.io.read(file?.filePath ?? ''))
      .digest('hex');
  const first = await content();
  expect(await rejectionCode(stage(lab, rows(4)))).toBe('FILE_ALREADY_EXISTS');
  expect(storedBelow(lab.table.metadata.location)).toEqual(before);
  expect(await content()).toBe(first);
});

test.each([
  ['write.parquet.compression-codec', 'lzo', 'INVALID_ARGUMENT'],
  ['write.parquet.compression-level', 'high', 'INVALID_ARGUMENT'],
  ['write.parquet.row-group-size-bytes', '-1', 'INVALID_ARGUMENT'],
  ['write.parquet.row-group-limit', 'many', 'INVALID_ARGUMENT'],
  ['write.target-file-size-bytes', '1.5', 'INVALID_ARGUMENT'],
  ['write.data.path', '/elsewhere', 'LOCATION_REFUSED'],
])('the property %s = %s is refused before anything is written', async (name, value, code) => {
  const lab = await tableWith({ [name]: value });
  expect(await rejectionCode(stage(lab, rows(3)))).toBe(code);
  expect(storedBelow(lab.table.metadata.location).filter((path) => !path.startsWith('metadata/'))).toEqual([]);
});

/** A store that is not of this machine, on the files of one that is; creations end late, and the first of a name may fail. */
function remote(io: Table['io'], fails: (created: number) => boolean) {
  const seen = { atOnce: 0, most: 0, created: 0 };
  const store = {
    localFiles: () => null,
    delete: (...locations: readonly string[]) => io.delete(...locations),
    createFrom: async (location: string, content: AsyncIterable<Uint8Array>) => {
      seen.atOnce += 1;
      seen.most = Math.max(seen.most, seen.atOnce);
      try {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen.created += 1;
        if (fails(seen.created)) throw new MoraineError('STORAGE_UNAVAILABLE', 'told to fail');
        await io.createFrom(location, content);
      } finally {
        seen.atOnce -= 1;
      }
    },
  };
  return { seen, io: store as unknown as Table['io'] };
}

test('small files are uploaded eight at a time; if one fails, no more are begun and none remains', async () => {
  const world = await openTableWorld();
  await world.create('t', schemaOf({ id: 'long', v: 'string' }), 'identity(id)');
  const table = await world.load('t');
  const stageIn = async (io: Table['io']) => {
    const write = { select: rows(40), namePrefix: 'a' };
    return await world.engine.withConnection((connection) => stageRows(connection, { ...table, io }, write));
  };
  const good = remote(table.io, () => false);
  const files = await stageIn(good.io);
  expect(files).toHaveLength(40);
  expect(good.seen).toEqual({ atOnce: 0, most: 8, created: 40 });
  expect(storedBelow(`${table.metadata.location}/data`)).toHaveLength(40);
  await table.io.delete(...files.map(({ filePath }) => filePath));

  const bad = remote(table.io, (created) => created === 10);
  expect(await rejectionCode(stageIn(bad.io))).toBe('STORAGE_UNAVAILABLE');
  expect(bad.seen.created).toBeLessThan(20);
  expect(storedBelow(`${table.metadata.location}/data`)).toEqual([]);
});
