/** Parquet files with the deprecated codec LZ4 that Apache Spark wrote (test/fixtures/lz4). */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decompressHadoopPage } from '../../../engine/copies/lz4-block.js';
import type { Connection } from '../../../engine/index.js';
import { checkFiles, readInput, type Scan, scanSql, withReadableCopies } from '../../../engine/index.js';
import { readThrift, type ThriftStruct, type ThriftValue, writeThrift } from '../../../engine/parquet/thrift-tree.js';
import { type LocalPath, localPath } from '../../../locations/index.js';
import { projectRoot } from '../../support/paths.js';
import { field, type Harness, openHarness, schemaOf } from './harness.js';

const FIXTURES = join(projectRoot, 'test/fixtures/lz4');
const SCHEMA = schemaOf(
  field(1, 'id', { kind: 'long' }),
  field(2, 'text', { kind: 'string' }),
  field(3, 'few', { kind: 'int' }),
  field(4, 'list', { kind: 'list', elementId: 5, elementRequired: false, element: { kind: 'long' } }),
);
/** The program imports no field ids. */
const nameMapping = new Map([
  [1, ['id']],
  [2, ['text']],
  [3, ['few']],
  [4, ['list']],
  [5, ['element']],
]);

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

async function fixture(name: string, change: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<LocalPath> {
  const path = localPath(join(harness.folder, `${Math.random()} ${name}`));
  await writeFile(path, change(await readFile(join(FIXTURES, name))));
  return path;
}

async function prepared(connection: Connection, path: LocalPath, scan: Partial<Scan> = {}): Promise<string> {
  const layouts = await checkFiles(connection, [{ path, fileSizeInBytes: BigInt((await stat(path)).size) }]);
  const files = [{ path, recordCount: 10_000n }];
  return scanSql(await withReadableCopies(connection, { schema: SCHEMA, files, layouts, nameMapping, ...scan }));
}

/** Rows that are not those of the fixtures' program. */
const WRONG = `text IS DISTINCT FROM 'a text of the row ' || id % 997 || ' and more of it, ' || repeat('again ', 8)
  OR few IS DISTINCT FROM CASE WHEN id % 5 > 0 THEN id % 11 END OR list IS DISTINCT FROM CASE WHEN id % 3 > 0 THEN [id % 7, NULL] END
  OR r <> id`;

describe('Parquet files with Hadoop LZ4', () => {
  it.each(['1.parquet', '2.parquet'])('of pages of version %s are read, row by row in their places', async (name) => {
    const path = await fixture(name);
    await harness.engine.withConnection(async (connection) => {
      const from = await prepared(connection, path, { extras: { fileName: 'file', rowNumber: 'r' } });
      expect(
        await connection.rows(
          `SELECT count(*), count(DISTINCT id), min(file), count(*) FILTER (${WRONG}) FROM ${from}`,
        ),
      ).toEqual([[10_000n, 10_000n, path, 0n]]);
    });
  });

  it('are input files too', async () => {
    const path = await fixture('1.parquet');
    await harness.engine.withConnection(async (connection) => {
      const { sql } = await readInput(connection, path);
      expect(await connection.rows(`SELECT sum(id), count(few) FROM (${sql})`)).toEqual([[49_995_000n, 8000n]]);
    });
  });

  it('with a damaged page are named', async () => {
    const path = await fixture('1.parquet', (bytes) => bytes.fill(0xff, 40, 400));
    const run = harness.engine.withConnection((connection) => prepared(connection, path));
    await expect(run).rejects.toMatchObject({ code: 'DATA_FILE_CORRUPT', details: { path } });
  });

  it('are told from LZO, which is refused by name', async () => {
    const path = await fixture('1.parquet', (bytes) => withCodec(bytes, 3n));
    const run = harness.engine.withConnection((connection) => prepared(connection, path));
    await expect(run).rejects.toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      message: expect.stringMatching(/LZO/) as string,
      details: { path },
    });
  });

  /** The file, saying that its columns have another codec. */
  function withCodec(bytes: Buffer, codec: bigint): Buffer {
    const end = bytes.length - 8;
    const start = end - bytes.readUInt32LE(end);
    const footer = writeThrift(
      edit(readThrift(bytes.subarray(start, end)).struct, [4, 1, 3, 4], { kind: 'integer', type: 5, value: codec }),
    );
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    return Buffer.concat([bytes.subarray(0, start), footer, length, Buffer.from('PAR1')]);
  }

  function edit(struct: ThriftStruct, [id, ...path]: readonly number[], value: ThriftValue): ThriftStruct {
    const fields = new Map(struct.fields);
    const old = fields.get(id as number);
    const inside = (one: ThriftValue) => edit(one as ThriftStruct, path, value);
    if (path.length === 0) fields.set(id as number, value);
    else if (old?.kind === 'list') fields.set(id as number, { ...old, items: old.items.map(inside) });
    else if (old !== undefined) fields.set(id as number, inside(old));
    return { kind: 'struct', fields };
  }
});

/** Pages by hand, from the block format: a token (literals, match length - 4), literals, offset in two bytes. */
describe('LZ4 pages', () => {
  const block = (...parts: readonly (number | string)[]): Buffer =>
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))));
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  /** 3 literals, a match of 6 three back, which repeats what it writes; then 1 literal. */
  const ABC = block(0x32, 'abc', 3, 0, 0x10, '!');
  const LONG = block(0xf0, 5, 'x'.repeat(20));

  it.each<[string, Buffer, string]>([
    ['one frame of one block', Buffer.concat([u32(10), u32(ABC.length), ABC]), 'abcabcabc!'],
    [
      'one frame of two blocks',
      Buffer.concat([u32(30), u32(ABC.length), ABC, u32(LONG.length), LONG]),
      `abcabcabc!${'x'.repeat(20)}`,
    ],
    [
      'two frames',
      Buffer.concat([u32(10), u32(ABC.length), ABC, u32(20), u32(LONG.length), LONG]),
      `abcabcabc!${'x'.repeat(20)}`,
    ],
    ['no frame', ABC, 'abcabcabc!'],
  ])('of %s are decompressed', (_, page, text) => {
    expect(decompressHadoopPage(page, text.length).toString()).toBe(text);
  });

  it.each<[string, Buffer]>([
    ['a match before the start', block(0x10, 'a', 2, 0, 0x10, 'b')],
    ['a match of offset 0', block(0x10, 'a', 0, 0, 0x10, 'b')],
    ['literals that are missing', block(0x50, 'abc')],
    ['a length that does not end', block(0xf0, 255, 255)],
    ['more than was promised', block(0xa0, 'abcdefghij')],
    ['less than was promised', block(0x20, 'ab')],
  ])('with %s are refused', (_, page) => {
    expect(() => decompressHadoopPage(page, 6)).toThrow('no LZ4');
    expect(() => decompressHadoopPage(Buffer.concat([u32(6), u32(page.length), page]), 6)).toThrow('no LZ4');
  });
});
