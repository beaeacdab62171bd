/** Scans of files of a store fetch the columns and row groups that they read, and keep them. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Connection, quoteLiteral, readableScanSql, type Scan } from '../../../engine/index.js';
import { bindExpression, parseExpression, type Schema, type TableMetadata } from '../../../iceberg/index.js';
import { type FileToOpen, openFiles, whileReading } from '../../../scans/index.js';
import { DiskCache, type ExpectedFile, type FileRange, type FileTail, joined } from '../../../storage/index.js';
import { OPEN_GATE } from '../../simulation/gate.js';
import { MemoryFileIO, MemoryStorage } from '../../simulation/memory-file-io.js';
import { rejectionCode } from '../../support/error-code.js';
import { PoisonedCache } from '../../support/poisoned-cache.js';
import { temporaryFolder } from '../../support/temp-folder.js';
import { field, type Harness, openHarness, schemaOf } from '../engine/harness.js';

const ROOT = 's3://bucket/table';
const LOCATION = `${ROOT}/data/f.parquet`;
const WIDTH = 12;
const GROUP_ROWS = 10_240;
const GROUPS = 8;

const schema: Schema = schemaOf(
  field(1, 'id', { kind: 'long' }),
  field(2, 'seen', { kind: 'timestamptz' }),
  ...Array.from({ length: WIDTH - 2 }, (_, index) => field(index + 3, `v${index}`, { kind: 'double' })),
);
const metadata = { schemas: [schema], properties: new Map() } as unknown as TableMetadata;

let harness: Harness;
let content: Buffer;
beforeAll(async () => {
  harness = await openHarness();
  content = await written('0');
});
afterAll(() => harness.close());

/** A file of {@link GROUPS} row groups, ordered by id and time. @param offset added to the values */
async function written(offset: string): Promise<Buffer> {
  const path = join(harness.folder, `${Math.random()}.parquet`);
  const values = Array.from({ length: WIDTH - 2 }, (_, index) => `random() + ${offset} AS v${index}`);
  const ids = schema.fields.map(({ id, name }) => `${name}: ${id}`).join(', ');
  await harness.engine.withConnection(async (connection) => {
    await connection.run('SELECT setseed(0.5)');
    await connection.run(
      `COPY (SELECT i AS id, TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(i) AS seen, ${values.join(', ')} FROM range(${GROUPS * GROUP_ROWS}) AS t(i))
       TO ${quoteLiteral(path)} (FORMAT parquet, ROW_GROUP_SIZE ${GROUP_ROWS}, FIELD_IDS {${ids}})`,
    );
  });
  return await readFile(path);
}

/** Counts what is asked of the store. */
class CountingFileIO extends MemoryFileIO {
  requests = 0;
  bytes = 0;

  override async *readRange(location: string, range: FileRange & ExpectedFile): AsyncGenerator<Uint8Array> {
    yield this.#counted(await joined(super.readRange(location, range)));
  }

  override async readTail(location: string, length: number): Promise<FileTail> {
    const tail = await super.readTail(location, length);
    this.#counted(tail.bytes);
    return tail;
  }

  #counted(bytes: Uint8Array): Uint8Array {
    this.requests += 1;
    this.bytes += bytes.length;
    return bytes;
  }
}

let storage: MemoryStorage;
let folder: string;
beforeEach(() => {
  storage = new MemoryStorage(() => Date.now());
  storage.create(LOCATION, content);
  folder = join(temporaryFolder(), 'cache');
});

/** What another process has: the same store and folder, and nothing in memory. */
const openIo = (diskCache: DiskCache | null = new PoisonedCache({ folder, maxBytes: 2 ** 30, endBytes: 4096 })) =>
  new CountingFileIO(storage, [ROOT], OPEN_GATE, diskCache);

const file = (): FileToOpen => ({
  location: LOCATION,
  recordCount: BigInt(GROUPS * GROUP_ROWS),
  fileSizeInBytes: BigInt(storage.require(LOCATION).content.length),
});

async function query(
  io: MemoryFileIO,
  select: string,
  scan: Partial<Scan>,
  from: readonly FileToOpen[] = [file()],
): Promise<readonly unknown[]> {
  return await harness.engine.withConnection(async (connection: Connection) => {
    const open = await openFiles(connection, { io, metadata }, from);
    const relation = await readableScanSql(connection, { ...open, schema, ...scan });
    return (await connection.rows(`SELECT ${select} FROM ${relation}`)).flat();
  });
}

const bound = (text: string) => bindExpression(parseExpression(text), schema);

/** Bytes of columns in row groups, as DuckDB reads the file's own footer. */
async function bytesOf(columns: readonly string[], groups: string): Promise<number> {
  const path = join(harness.folder, 'whole.parquet');
  await writeFile(path, content);
  return await harness.engine.withConnection(async (connection) => {
    const names = columns.map(quoteLiteral).join(', ');
    const sql = `SELECT sum(total_compressed_size)::DOUBLE FROM parquet_metadata(${quoteLiteral(path)}) WHERE path_in_schema IN (${names}) AND row_group_id ${groups}`;
    return Number((await connection.rows(sql))[0]?.[0]);
  });
}

const SUMS = 'count(*)::INT, sum(id)::DOUBLE, sum(v3::DECIMAL(30, 15))::VARCHAR';

test('two of twelve columns cost little more than their bytes, and nothing when they are read again', async () => {
  const io = openIo();
  const expected = await query(openIo(null), SUMS, {});
  expect(await query(io, SUMS, { columns: [1, 6] })).toEqual(expected);
  const footer = content.readUInt32LE(content.length - 8);
  const wanted = (await bytesOf(['id', 'v3'], '>= 0')) + footer;
  expect(io.bytes).toBeGreaterThanOrEqual(wanted);
  expect(io.bytes).toBeLessThanOrEqual(1.05 * wanted);

  const again = openIo();
  expect(await query(again, SUMS, { columns: [1, 6] })).toEqual(expected);
  // Fewer columns than are there.
  expect(await query(again, 'sum(id)::DOUBLE', { columns: [1] })).toEqual(expected.slice(1, 2));
  expect([again.requests, again.bytes]).toEqual([0, 0]);
});

test('of a part that an earlier scan has fetched in part only the rest is fetched, columns and row groups', async () => {
  const expected = await query(openIo(null), `${SUMS}, sum(v5::DECIMAL(30, 15))::VARCHAR`, {});
  await query(openIo(), 'sum(id)', { columns: [1] });
  await query(openIo(), 'sum(v3)', { columns: [6], filter: bound(`id < ${2 * GROUP_ROWS}`) });
  const io = openIo();
  expect(await query(io, `${SUMS}, sum(v5::DECIMAL(30, 15))::VARCHAR`, { columns: [1, 6, 8] })).toEqual(expected);
  const missing = (await bytesOf(['v3'], '>= 2')) + (await bytesOf(['v5'], '>= 0'));
  expect(io.bytes).toBeGreaterThanOrEqual(missing);
  expect(io.bytes).toBeLessThanOrEqual(1.01 * missing);

  // Both parts are there, and nothing is missing of a third that they have together.
  const third = openIo();
  expect(await query(third, SUMS, { columns: [1, 6] })).toEqual(expected.slice(0, 3));
  expect(third.requests).toBe(0);
});

test('what was fetched in part and given up meanwhile is fetched', async () => {
  const expected = await query(openIo(null), SUMS, {});
  await query(openIo(), 'sum(id)', { columns: [1] });
  class Forgetful extends PoisonedCache {
    override open(): Promise<undefined> {
      return Promise.resolve(undefined);
    }
  }
  const io = openIo(new Forgetful({ folder, maxBytes: 2 ** 30, endBytes: 4096 }));
  expect(await query(io, SUMS, { columns: [1, 6] })).toEqual(expected);
  expect(io.bytes).toBeGreaterThanOrEqual(await bytesOf(['id', 'v3'], '>= 0'));
});

test('row groups that the filter rules out are not fetched, by numbers and by times', async () => {
  const two = 2 * GROUP_ROWS;
  for (const [index, filter] of [`id >= ${two} AND id < ${two + 5}`, "seen = '2024-01-01T05:41:25Z'"].entries()) {
    const io = openIo(new PoisonedCache({ folder: `${folder}-${index}`, maxBytes: 2 ** 30, endBytes: 4096 }));
    const found = await query(io, 'min(id)::INT, max(id)::INT', { columns: [1], filter: bound(filter) });
    expect(found).toEqual(index === 0 ? [two, two + 4] : [20_485, 20_485]);
    const footer = content.readUInt32LE(content.length - 8);
    const wanted = (await bytesOf(index === 0 ? ['id'] : ['id', 'seen'], '= 2')) + footer;
    expect(io.bytes).toBeLessThanOrEqual(1.05 * wanted);
  }
});

test('positions are those in the whole file, whatever the filter rules out', async () => {
  const filter = bound(`id >= ${5 * GROUP_ROWS} AND id < ${5 * GROUP_ROWS + 2}`);
  const extras = { rowNumber: 'pos' };
  expect(await query(openIo(), 'pos::INT', { columns: [], filter, extras })).toEqual([
    5 * GROUP_ROWS,
    5 * GROUP_ROWS + 1,
  ]);
});

test('no column, and no row group', async () => {
  expect(await query(openIo(), 'count(*)::INT', { columns: [] })).toEqual([GROUPS * GROUP_ROWS]);
  const nothing = bound('id < 0');
  expect(await query(openIo(), 'count(*)::INT', { columns: [4], filter: nothing })).toEqual([0]);
});

test('files of which other columns are there are read together', async () => {
  const second = `${ROOT}/data/g.parquet`;
  storage.create(second, content);
  const other = { ...file(), location: second };
  const io = openIo();
  await query(io, 'sum(v0)', { columns: [1, 2, 3] }, [other]);
  for (const files of [
    [file(), other],
    [other, file()],
  ]) {
    expect(await query(io, 'count(*)::INT, sum(id)::BIGINT::VARCHAR', { columns: [1] }, files)).toEqual([
      2 * GROUPS * GROUP_ROWS,
      String(GROUPS * GROUP_ROWS * (GROUPS * GROUP_ROWS - 1)),
    ]);
  }
});

test('a file that is replaced while parts of it are here is noticed, and then read anew', async () => {
  const io = openIo();
  await query(io, 'sum(id)', { columns: [1] });
  let changed = await written('1');
  // A file of the same length is the one that would go unnoticed.
  for (let tries = 0; changed.length !== content.length && tries < 50; tries += 1) changed = await written('1');
  storage.replace(LOCATION, changed.length === content.length ? changed : content, Date.now());
  expect(await rejectionCode(query(io, 'sum(v0)', { columns: [3] }))).toBe('FILE_CHANGED');
  expect(await query(io, 'count(v0)::INT', { columns: [3] })).toEqual([GROUPS * GROUP_ROWS]);
});

test('a length that is not that of the manifest, and a footer that is none, are errors with the location', async () => {
  const wrong = { ...file(), fileSizeInBytes: file().fileSizeInBytes + 1n };
  const failure = (error: unknown) => error as { code: string; details: { path: string } };
  const short = await query(openIo(), 'count(*)', {}, [wrong]).catch(failure);
  expect(short).toMatchObject({ code: 'DATA_FILE_CORRUPT', details: { path: LOCATION } });
  storage.replace(LOCATION, new Uint8Array(content.length).fill(7), 0);
  const broken = await query(openIo(), 'count(*)', {}).catch(failure);
  expect(broken).toMatchObject({ code: 'DATA_FILE_CORRUPT', details: { path: LOCATION } });
});

test('damage in the pages of a file is reported with its location', async () => {
  const damaged = Buffer.from(content);
  // The first pages: those of the first column.
  damaged.fill(0xff, 40, 4000);
  storage.replace(LOCATION, damaged, 0);
  const second = `${ROOT}/data/sound.parquet`;
  storage.create(second, content);
  const io = openIo();
  const failure = await harness.engine
    .withConnection(async (connection) => {
      const open = await openFiles(connection, { io, metadata }, [{ ...file(), location: second }, file()]);
      const relation = await readableScanSql(connection, { ...open, schema, columns: [1] });
      return await whileReading(connection, [open], () => connection.rows(`SELECT sum(id) FROM ${relation}`));
    })
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'DATA_FILE_CORRUPT', details: { path: LOCATION } });
  expect((failure as Error).message).toContain(LOCATION);
});

test('what is outside the roots is refused, though it is kept', async () => {
  await query(openIo(), 'sum(id)', { columns: [1] });
  const elsewhere = new MemoryFileIO(
    storage,
    ['s3://bucket/other'],
    OPEN_GATE,
    new DiskCache({ folder, maxBytes: 1e9 }),
  );
  expect(await rejectionCode(query(elsewhere, 'sum(id)', { columns: [1] }))).toBe('LOCATION_REFUSED');
});
