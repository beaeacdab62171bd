/** Scans of a file that PyArrow wrote (test/fixtures/pyarrow); the values expected are those of its program. */

import { copyFile, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readableCopy } from '../../../engine/copies/convert-file.js';
import { type Connection, readFileLayouts, type Scan, scanSql, withReadableCopies } from '../../../engine/index.js';
import { bindExpression, type IcebergType, parseExpression } from '../../../iceberg/index.js';
import { type LocalPath, localPath } from '../../../locations/index.js';
import { projectRoot } from '../../support/paths.js';
import { field, type Harness, openHarness, schemaOf } from './harness.js';

const FIXTURE = join(projectRoot, 'test/fixtures/pyarrow/zoned-nanoseconds.parquet');
const AT = [1_700_000_000_123_456_789n, null, -1n, -(2n ** 63n), 2n ** 63n - 1n, 981_173_106_000_000_007n];

const ZONED: IcebergType = { kind: 'timestamptz_ns' };
const LIST: IcebergType = { kind: 'list', elementId: 8, elementRequired: false, element: ZONED };
const SCHEMA = schemaOf(
  field(1, 'id', { kind: 'long' }),
  field(2, 'at', ZONED),
  field(3, 'plain', { kind: 'timestamp_ns' }),
  field(4, 'micros', ZONED),
  // Renamed inside since the file was written.
  field(5, 's', { kind: 'struct', fields: [field(6, 'y', ZONED), field(7, 'l', LIST)] }),
  field(9, 'late', ZONED),
);

let harness: Harness;
let path: LocalPath;
beforeAll(async () => {
  harness = await openHarness();
  path = localPath(join(harness.folder, "o'ne [1].parquet"));
  await copyFile(FIXTURE, path);
});
afterAll(() => harness.close());

const copies = async (connection: Connection): Promise<string[]> =>
  (await readdir(connection.tempDirectory)).filter((name) => name.startsWith('copies-'));

async function prepared(connection: Connection, scan: Partial<Scan>): Promise<Scan> {
  const layouts = await readFileLayouts(connection, [path]);
  return await withReadableCopies(connection, { schema: SCHEMA, files: [{ path, recordCount: 6n }], layouts, ...scan });
}

const rows = (columns: string, scan: Partial<Scan> = {}) =>
  harness.engine.withConnection(async (connection) => {
    const from = scanSql(await prepared(connection, scan));
    return await connection.rows(`SELECT ${columns} FROM ${from} ORDER BY id`);
  });

const bound = (text: string) => ({ filter: bindExpression(parseExpression(text), SCHEMA) });

describe('zoned nanoseconds of a file', () => {
  it('are read exactly, with and without zone, beside microseconds', async () => {
    expect(await rows('epoch_ns("at"), epoch_ns(plain), epoch_ns(micros), typeof("at")')).toEqual(
      AT.map((at, n) => [at, at, BigInt(n) * 1000n, 'TIMESTAMP_NS']),
    );
  });

  it('are read exactly inside structs and lists', async () => {
    expect(await rows('epoch_ns(s.y), epoch_ns(s.l[1]), epoch_ns(s.l[2])', { columns: [1, 5] })).toEqual(
      AT.map((at, n) => [at, at, BigInt(n)]),
    );
  });

  it('are read exactly into a column that has no zone', async () => {
    const schema = schemaOf(field(1, 'id', { kind: 'long' }), field(2, 'at', { kind: 'timestamp_ns' }));
    expect(await rows('epoch_ns("at")', { schema })).toEqual(AT.map((at) => [at]));
  });

  it('are filtered exactly, also when the column is not wanted', async () => {
    const filter = bound("at = TIMESTAMP '2001-02-03T04:05:06.000000007'");
    expect(await rows('id', { columns: [1], ...filter })).toEqual([[5n]]);
    expect(await rows('id', { columns: [1], ...bound("at < TIMESTAMP '1677-09-21T00:12:43.145224193'") })).toEqual([
      [3n],
    ]);
  });

  it('are filtered in the reader, which skips row groups by their statistics', async () => {
    const plan = await harness.engine.withConnection(async (connection) => {
      const scan = await prepared(connection, bound("at = TIMESTAMP '2001-02-03T04:05:06.000000007'"));
      return JSON.stringify(await connection.rows(`EXPLAIN FROM ${scanSql(scan)}`));
    });
    expect(plan.replaceAll(/[│\s]|\\n/g, '')).toContain("Filters:c2='2001-02-0304:05:06.000000007'::TIMESTAMP_NS");
  });

  it('of a column that a file lacks are its default', async () => {
    const late = { ...field(9, 'late', ZONED), initialDefault: '2001-02-03T04:05:06.000000007+00:00' };
    const schema = schemaOf(field(1, 'id', { kind: 'long' }), late);
    expect(await rows('DISTINCT epoch_ns(late), 0 AS id', { schema })).toEqual([[981_173_106_000_000_007n, 0]]);
  });

  it('keep the name and positions of the file', async () => {
    const extras = { fileName: 'file', rowNumber: 'n', sequenceNumber: 'q' };
    const files = [{ path, recordCount: 6n, sequenceNumber: 4n }];
    expect(await rows('file, n, q, epoch_ns("at")', { extras, files })).toEqual(
      AT.map((at, n) => [path, BigInt(n), 4n, at]),
    );
  });

  it('are copied only where they are read, and the copies go with the connection', async () => {
    const original = await readFile(path);
    const { scan, during, folder } = await harness.engine.withConnection(async (connection) => {
      const others = await prepared(connection, { columns: [1, 3, 4, 9] });
      expect([others.layouts?.get(path)?.readFrom, await copies(connection)]).toEqual([undefined, []]);
      const scan = await prepared(connection, { columns: [2] });
      expect((await prepared(connection, { columns: [5] })).layouts?.get(path)?.readFrom).toBe(
        scan.layouts?.get(path)?.readFrom,
      );
      return { scan, during: await copies(connection), folder: connection.tempDirectory };
    });
    expect(during).toHaveLength(1);
    expect(dirname(dirname(scan.layouts?.get(path)?.readFrom ?? ''))).toBe(folder);
    expect(await readdir(folder)).toEqual([]);
    expect(await readFile(path)).toEqual(original);
  });

  it('leave no copy after a failure or an abort', async () => {
    let folder = '';
    const controller = new AbortController();
    const run = (work: (connection: Connection) => void) =>
      harness.engine.withConnection(
        async (connection) => {
          folder = connection.tempDirectory;
          const scan = await prepared(connection, { columns: [2] });
          work(connection);
          await connection.run(`SELECT error('x') FROM ${scanSql(scan)}`);
        },
        { signal: controller.signal },
      );
    await expect(run(() => undefined)).rejects.toThrow();
    expect(await readdir(folder)).toEqual([]);
    await expect(run(() => controller.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('are refused by name in a scan that was not prepared', async () => {
    await harness.engine.withConnection(async (connection) => {
      const layouts = await readFileLayouts(connection, [path]);
      const scan = { schema: SCHEMA, files: [{ path, recordCount: 6n }], columns: [2] };
      for (const one of [scan, { ...scan, layouts }]) {
        expect(() => scanSql(one)).toThrow(
          expect.objectContaining({
            code: 'UNSUPPORTED_FEATURE',
            message: expect.stringContaining('at') as string,
          }) as Error,
        );
      }
    });
  });

  it('of a file that vanished or is cut off are an error that names it', async () => {
    await harness.engine.withConnection(async (connection) => {
      const gone = join(harness.folder, 'gone.parquet');
      await expect(readableCopy(connection, gone)).rejects.toMatchObject({
        code: 'FILE_NOT_FOUND',
        details: { path: gone },
      });
      const cut = join(harness.folder, 'cut.parquet');
      await copyFile(FIXTURE, cut);
      await truncate(cut, 300);
      await expect(readableCopy(connection, cut)).rejects.toMatchObject({
        code: 'DATA_FILE_CORRUPT',
        details: { path: cut },
      });
    });
  });

  it('of a file with damaged pages are an error that names the file, not its copy', async () => {
    const damaged = join(harness.folder, 'damaged.parquet');
    const bytes = await readFile(FIXTURE);
    await writeFile(damaged, bytes.fill(0xff, 4, bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8)));
    const failure = harness.engine.withConnection(async (connection) => {
      const copy = await readableCopy(connection, damaged);
      await connection.run(`SELECT sum(hash("at")) FROM read_parquet('${copy}')`);
    });
    const error = (await failure.catch((caught: unknown) => caught)) as Error;
    expect(error).toMatchObject({ code: 'DATA_FILE_CORRUPT' });
    expect(error.message).not.toContain('copies-');
  });
});
