/** The behaviour of storages on an S3 server that keeps real files, and tables of some size on it. */
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quoteLiteral, readableScanSql } from '../../engine/index.js';
import type { TableMetadata } from '../../iceberg/index.js';
import { openFiles } from '../../scans/index.js';
import { DiskCache } from '../../storage/index.js';
import { S3FileIO } from '../../storage/s3/s3-file-io.js';
import { describeStorageBehavior } from '../conformance/storage-behavior.js';
import { type S3Server, startMinio } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { field, openHarness, schemaOf } from '../unit/engine/harness.js';

let server: S3Server;
let roots = 0;
beforeAll(async () => {
  server = await startMinio();
  await server.makeBucket('warehouse');
});
afterAll(() => server.close());

function newRoot(): string {
  roots += 1;
  return `s3://warehouse/root${roots}`;
}

describeStorageBehavior('MinIO', () => {
  const root = newRoot();
  return Promise.resolve({
    io: new S3FileIO({ roots: [root], options: server.options }),
    root,
    spellings: [root.replace('s3:', 's3a:'), root.replace('s3:', 's3n:')],
    waysOut: [`${root}/../x`, `${root}/none/../../x`],
    clockTickMs: 1000,
  });
});

const COLUMNS = 12;
const ROWS = 2_000_000;

test('two of twelve columns of a large file are the rows of the file, for a sixth of its bytes and once', async () => {
  const harness = await openHarness();
  try {
    const schema = schemaOf(...Array.from({ length: COLUMNS }, (_, id) => field(id + 1, `v${id}`, { kind: 'double' })));
    const path = join(harness.folder, 'f.parquet');
    const values = schema.fields.map(({ name }) => `random() AS ${name}`).join(', ');
    const ids = schema.fields.map(({ id, name }) => `${name}: ${id}`).join(', ');
    const sums = 'count(*)::INT, sum(v3)::DECIMAL(20, 6)::VARCHAR, max(v9)::VARCHAR';
    const expected = await harness.engine.withConnection(async (connection) => {
      await connection.run(
        `COPY (SELECT ${values} FROM range(${ROWS})) TO ${quoteLiteral(path)} (FORMAT parquet, ROW_GROUP_SIZE 122880, FIELD_IDS {${ids}})`,
      );
      return (await connection.rows(`SELECT ${sums} FROM read_parquet(${quoteLiteral(path)})`)).flat();
    });
    const { size } = await stat(path);
    const root = newRoot();
    const location = `${root}/data/f.parquet`;
    const folder = join(temporaryFolder(), 'cache');
    const open = () =>
      new S3FileIO({ roots: [root], options: server.options, diskCache: new DiskCache({ folder, maxBytes: 2 ** 40 }) });
    await open().createFrom(location, createReadStream(path));
    const read = async () => {
      const io = open();
      const metadata = { schemas: [schema], properties: new Map() } as unknown as TableMetadata;
      const found = await harness.engine.withConnection(async (connection) => {
        const file = { location, recordCount: BigInt(ROWS), fileSizeInBytes: BigInt(size) };
        const files = await openFiles(connection, { io, metadata }, [file]);
        const relation = await readableScanSql(connection, { ...files, schema, columns: [4, 10] });
        return (await connection.rows(`SELECT ${sums} FROM ${relation}`)).flat();
      });
      expect(found).toEqual(expected);
      return io.traffic;
    };
    const first = await read();
    expect(first.readBytes).toBeGreaterThan(size / 6 - 1e6);
    expect(first.readBytes).toBeLessThan((size / 6) * 1.05);
    expect(await read()).toEqual({ requests: 0, readBytes: 0, writtenBytes: 0 });
    const { stdout } = await promisify(execFile)('du', ['-s', '--block-size=1', folder]);
    expect(Number.parseInt(stdout, 10)).toBeLessThan((size / 6) * 1.05 + 1e6);
  } finally {
    await harness.close();
  }
});
