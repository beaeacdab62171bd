/** Scans of Avro files that fastavro wrote (test/fixtures/avro); the values expected are those of its program. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CheckedFile,
  type Connection,
  checkFiles,
  readableFormat,
  type Scan,
  scanSql,
  withReadableCopies,
  writeRows,
} from '../../../engine/index.js';
import {
  bindExpression,
  type DataFile,
  type IcebergType,
  parseExpression,
  type Schema,
} from '../../../iceberg/index.js';
import { type LocalPath, localPath } from '../../../locations/index.js';
import { projectRoot } from '../../support/paths.js';
import { field, type Harness, MemorySink, openHarness, schemaOf } from './harness.js';

const FIXTURES = join(projectRoot, 'test/fixtures/avro');
const LONG: IcebergType = { kind: 'long' };
const TEXT: IcebergType = { kind: 'string' };

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

/** A copy of a fixture, changed, in the folder that the engine may read. */
async function fixture(name: string, change: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<LocalPath> {
  const path = localPath(join(harness.folder, `${Math.random()}'${name}`));
  await writeFile(path, change(await readFile(join(FIXTURES, name))));
  return path;
}

async function checkedFile(path: LocalPath): Promise<CheckedFile> {
  return { path, format: 'AVRO', fileSizeInBytes: BigInt((await stat(path)).size) };
}

async function prepared(
  connection: Connection,
  path: LocalPath,
  scan: Partial<Scan> & { schema: Schema },
): Promise<Scan> {
  const layouts = await checkFiles(connection, [await checkedFile(path)]);
  return await withReadableCopies(connection, { files: [{ path, recordCount: 3n }], layouts, ...scan });
}

/** Rows as JSON lines. */
async function lines(path: LocalPath, scan: Partial<Scan> & { schema: Schema }): Promise<string[]> {
  return await harness.engine.withConnection(async (connection) => {
    const sql = `SELECT * FROM ${scanSql(await prepared(connection, path, scan))}`;
    const sink = new MemorySink();
    await writeRows(connection, sql, scan.schema, 'jsonl', sink);
    return sink.text.split('\n').slice(0, -1);
  });
}

const list = (elementId: number, element: IcebergType): IcebergType => {
  return { kind: 'list', elementId, elementRequired: false, element };
};
const map = (keyId: number, key: IcebergType, valueId: number, value: IcebergType): IcebergType => {
  return { kind: 'map', keyId, key, valueId, value, valueRequired: false };
};
const STOPS = list(30, { kind: 'struct', fields: [field(31, 'at', LONG)] });
const TYPES: readonly [name: string, id: number, type: IcebergType, full: string, edge: string][] = [
  ['id', 1, LONG, '1', '3'],
  ['flag', 2, { kind: 'boolean' }, 'true', 'null'],
  ['small', 3, { kind: 'int' }, '-2147483648', 'null'],
  ['single', 4, { kind: 'float' }, '0.5', '"-Infinity"'],
  ['ratio', 5, { kind: 'double' }, '-1e+300', '"NaN"'],
  ['text', 6, TEXT, String.raw`"Zürich\u0000'日本"`, '""'],
  ['raw', 7, { kind: 'binary' }, '"00ff"', '""'],
  ['fixed', 8, { kind: 'fixed', length: 3 }, '"616263"', 'null'],
  ['key', 9, { kind: 'uuid' }, '"00112233-4455-6677-8899-aabbccddeeff"', 'null'],
  ['price', 10, { kind: 'decimal', precision: 9, scale: 2 }, '-1234567.89', '0.00'],
  ['big', 11, { kind: 'decimal', precision: 38, scale: 0 }, `-${'9'.repeat(38)}`, 'null'],
  ['day', 12, { kind: 'date' }, '"1582-10-04"', 'null'],
  ['clock', 13, { kind: 'time' }, '"23:59:59.999999"', 'null'],
  ['local', 14, { kind: 'timestamp' }, '"1969-12-31T23:59:59.999999"', '"0001-01-01T00:00:00.000000"'],
  ['instant', 15, { kind: 'timestamptz' }, '"2023-11-14T22:13:20.123456Z"', 'null'],
  ['local_ns', 16, { kind: 'timestamp_ns' }, '"1969-12-31T23:59:59.999999999"', 'null'],
  ['instant_ns', 17, { kind: 'timestamptz_ns' }, '"2023-11-14T22:13:20.123456789Z"', 'null'],
  ['plain', 18, { kind: 'timestamp' }, '"1970-01-01T00:00:00.000005"', 'null'],
  ['tags', 19, list(20, TEXT), '["a",null,""]', '[]'],
  ['counts', 21, map(22, TEXT, 23, LONG), '[["k",4611686018427387904],["none",null]]', '[]'],
  ['names', 24, map(25, { kind: 'int' }, 26, TEXT), '[[7,"seven"],[8,null]]', '[]'],
  [
    'place',
    27,
    { kind: 'struct', fields: [field(28, 'x', { kind: 'double' }), field(29, 'stops', STOPS)] },
    '{"x":2.5,"stops":[{"at":3},{"at":4}]}',
    '{"x":null,"stops":[]}',
  ],
  ['kind', 32, TEXT, '"green"', 'null'],
];
const SCHEMA = schemaOf(...TYPES.map(([name, id, type]) => field(id, name, type)));
const row = (value: (type: (typeof TYPES)[number]) => string): string =>
  `{${TYPES.map((type) => `"${type[0]}":${value(type)}`).join()}}`;
const ROWS = [row(([, , , full]) => full), row(([name]) => (name === 'id' ? '2' : 'null')), row((type) => type[4])];

describe('Avro files', () => {
  it.each(['null', 'deflate', 'snappy', 'zstandard'])('of every type, with the codec %s', async (codec) => {
    expect(await lines(await fixture(`types-${codec}.avro`), { schema: SCHEMA })).toEqual(ROWS);
  });

  it('are read by field id: renamed, moved, promoted, dropped and added columns, nested ones too', async () => {
    const place: IcebergType = {
      kind: 'struct',
      fields: [
        field(40, 'added', TEXT),
        field(29, 'halts', list(30, { kind: 'struct', fields: [field(31, 'when', LONG)] })),
      ],
    };
    const schema = schemaOf(
      field(27, 'where', place),
      { ...field(41, 'late', { kind: 'int' }), initialDefault: 7 },
      field(4, 'price', { kind: 'double' }),
      field(10, 'cost', { kind: 'decimal', precision: 20, scale: 2 }),
      field(3, 'big', LONG),
      // A name of another column of the file.
      field(6, 'id', TEXT),
    );
    expect(await lines(await fixture('types-null.avro'), { schema, columns: [27, 41, 4, 10, 3, 6] })).toEqual([
      String.raw`{"where":{"added":null,"halts":[{"when":3},{"when":4}]},"late":7,"price":0.5,"cost":-1234567.89,"big":-2147483648,"id":"Zürich\u0000'日本"}`,
      '{"where":null,"late":7,"price":null,"cost":null,"big":null,"id":null}',
      '{"where":{"added":null,"halts":[]},"late":7,"price":"-Infinity","cost":0.00,"big":null,"id":""}',
    ]);
  });

  it('without field ids are read through the name mapping, and refused without one', async () => {
    const path = await fixture('no-ids.avro');
    const place: IcebergType = { kind: 'struct', fields: [field(8, 'x', { kind: 'double' })] };
    const schema = schemaOf(field(5, 'number', LONG), field(6, 'words', TEXT), field(7, 'place', place));
    const nameMapping = new Map([
      [5, ['id', 'number']],
      [6, ['text']],
      [7, ['place']],
      [8, ['x']],
    ]);
    expect(await lines(path, { schema, nameMapping })).toEqual([
      String.raw`{"number":1,"words":"Zürich\u0000'日本","place":{"x":2.5}}`,
      '{"number":2,"words":null,"place":null}',
      '{"number":3,"words":"","place":{"x":null}}',
    ]);
    await expect(lines(path, { schema })).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
  });

  it('of many blocks keep their name, positions and rows, and are filtered', async () => {
    const path = await fixture('many-snappy.avro');
    const schema = schemaOf(field(1, 'n', { kind: 'int' }), field(2, 'text', TEXT));
    await harness.engine.withConnection(async (connection) => {
      const extras = { fileName: 'file', rowNumber: 'r', sequenceNumber: 'q' };
      const files = [{ path, recordCount: 5000n, sequenceNumber: 4n }];
      const scan = scanSql(await prepared(connection, path, { schema, extras, files }));
      const wrong = `text <> repeat(n || ' ', n % 40) || 'the same for all' OR r <> n`;
      expect(
        await connection.rows(`SELECT count(*), min(file), max(q), sum(n), count(*) FILTER (${wrong}) FROM ${scan}`),
      ).toEqual([[5000n, path, 4n, 12_497_500n, 0n]]);
      const filter = bindExpression(parseExpression('n >= 4998'), schema);
      const some = scanSql(await prepared(connection, path, { schema, filter, columns: [1] }));
      expect(await connection.rows(`SELECT n FROM ${some}`)).toEqual([[4998], [4999]]);
    });
  });

  it('are read together, more of them than are copied at one time', async () => {
    const paths = await Promise.all(Array.from({ length: 9 }, () => fixture('many-snappy.avro')));
    const schema = schemaOf(field(1, 'n', { kind: 'int' }));
    await harness.engine.withConnection(async (connection) => {
      const layouts = await checkFiles(connection, await Promise.all(paths.map(checkedFile)));
      const files = paths.map((path) => ({ path, recordCount: 5000n }));
      const scan = await withReadableCopies(connection, { schema, files, layouts });
      expect(await connection.rows(`SELECT count(*), sum(n) FROM ${scanSql(scan)}`)).toEqual([
        [45_000n, 9n * 12_497_500n],
      ]);
    });
  });

  it('are copied once for a connection, and the copy goes with it', async () => {
    const path = await fixture('types-null.avro');
    const folder = await harness.engine.withConnection(async (connection) => {
      const [one, two] = [
        await prepared(connection, path, { schema: SCHEMA }),
        await prepared(connection, path, { schema: SCHEMA }),
      ];
      expect(one.layouts?.get(path)?.readFrom).toBe(two.layouts?.get(path)?.readFrom);
      expect(await readdir(connection.tempDirectory)).toHaveLength(1);
      expect(await connection.rows('SELECT count(*) FROM duckdb_tables()')).toEqual([[0n]]);
      return connection.tempDirectory;
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it('are an error of the program in a scan that was not prepared', async () => {
    const path = await fixture('types-null.avro');
    await harness.engine.withConnection(async (connection) => {
      const layouts = await checkFiles(connection, [await checkedFile(path)]);
      const scan = { schema: SCHEMA, files: [{ path, recordCount: 3n }], layouts };
      expect(() => scanSql(scan)).toThrow(expect.objectContaining({ code: 'INTERNAL' }) as Error);
    });
  });

  it('stop being copied when the caller gives up', async () => {
    const path = await fixture('many-snappy.avro');
    const controller = new AbortController();
    const schema = schemaOf(field(1, 'n', { kind: 'int' }));
    let folder = '';
    const run = harness.engine.withConnection(
      async (connection) => {
        folder = connection.tempDirectory;
        const layouts = await checkFiles(connection, [await checkedFile(path)]);
        setImmediate(() => controller.abort());
        return await withReadableCopies(connection, { schema, files: [{ path, recordCount: 1n }], layouts });
      },
      { signal: controller.signal },
    );
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await readdir(folder)).toEqual([]);
  });
});

/** The sync marker that the fixtures' program chose. */
const SYNC = Buffer.from('moraine-avro-tst');

describe('damaged Avro files', () => {
  const schema = schemaOf(field(1, 'n', { kind: 'int' }));
  const failure = async (path: LocalPath): Promise<unknown> => lines(path, { schema }).catch((error: unknown) => error);
  const flipped = (at: (bytes: Buffer) => number) => (bytes: Buffer) => {
    bytes.writeUInt8(bytes.readUInt8(at(bytes)) ^ 0x55, at(bytes));
    return bytes;
  };
  const headerEnd = (bytes: Buffer): number => bytes.indexOf(SYNC) + SYNC.length;

  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ['cut off within its header', (bytes) => bytes.subarray(0, 90), /truncated/],
    ['cut off within a block', (bytes) => bytes.subarray(0, bytes.length - 100), /truncated/],
    ['no Avro', flipped(() => 0), /not an Avro file/],
    ['of a codec that there is not', (bytes) => replaced(bytes, 'snappy', 'snippy'), /'snippy'/],
    ['with another sync marker after a block', flipped((bytes) => bytes.length - 3), /sync marker/],
    ['with a wrong checksum', flipped((bytes) => bytes.length - SYNC.length - 1), /checksum/],
    ['with other bytes in a block', flipped((bytes) => bytes.length - 5000), /Snappy|checksum/],
    ['with a block that claims more bytes than the file has', withBlockPrefix(1, 2 ** 40), /truncated/],
    ['with more bytes than a block', (bytes) => Buffer.concat([bytes, Buffer.of(2)]), /truncated/],
  ])('%s are named', async (_, change, message) => {
    const path = await fixture('many-snappy.avro', change);
    expect(await failure(path)).toMatchObject({ code: 'DATA_FILE_CORRUPT', details: { path } });
    expect(String(await failure(path))).toMatch(message);
    expect(String(await failure(path))).toContain(path);
  });

  it('with a block that claims more rows than it has bytes are named', async () => {
    const path = await fixture('types-null.avro', withBlockPrefix(2 ** 40, 200 - SYNC.length));
    expect(await failure(path)).toMatchObject({
      code: 'DATA_FILE_CORRUPT',
      message: expect.stringContaining('a block of 184 bytes claims 1099511627776 records') as string,
    });
  });

  it('are told from codecs that are not read', async () => {
    const path = await fixture('types-null.avro', (bytes) => replaced(bytes, '\x08null', '\x04xz'));
    expect(await failure(path)).toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      message: expect.stringContaining("'xz'") as string,
    });
  });

  it('of another length than the manifest says, or gone, are named', async () => {
    const path = await fixture('types-null.avro');
    await harness.engine.withConnection(async (connection) => {
      const check = (file: CheckedFile) => checkFiles(connection, [file]);
      const longer = { ...(await checkedFile(path)), fileSizeInBytes: 1n };
      await expect(check(longer)).rejects.toMatchObject({ code: 'DATA_FILE_CORRUPT', details: { path } });
      await expect(check({ ...longer, path: localPath(`${path}x`) })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    });
  });

  function replaced(bytes: Buffer, from: string, to: string): Buffer {
    return Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1');
  }

  function withBlockPrefix(count: number, length: number): (bytes: Buffer) => Buffer {
    return (bytes) =>
      Buffer.concat([bytes.subarray(0, headerEnd(bytes)), varint(count), varint(length), bytes.subarray(-200)]);
  }

  function varint(value: number): Buffer {
    const bytes: number[] = [];
    let zigzag = BigInt(value) * 2n;
    for (; zigzag > 127n; zigzag >>= 7n) bytes.push(Number(zigzag & 127n) | 128);
    return Buffer.from([...bytes, Number(zigzag)]);
  }
});

describe('formats', () => {
  const file = (change: Partial<DataFile>): DataFile => ({
    content: 'data',
    filePath: '/w/f',
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: 1n,
    fileSizeInBytes: 1n,
    ...change,
  });

  it('that are not read are named, and encryption', () => {
    expect([readableFormat(file({})), readableFormat(file({ fileFormat: 'AVRO' }))]).toEqual(['PARQUET', 'AVRO']);
    for (const [change, word] of [
      [{ fileFormat: 'ORC' }, 'ORC'],
      [{ keyMetadata: Uint8Array.of(1) }, 'encrypted'],
    ] as const) {
      expect(() => readableFormat(file(change))).toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED_FEATURE',
          message: expect.stringContaining(word) as string,
        }) as Error,
      );
    }
  });
});
