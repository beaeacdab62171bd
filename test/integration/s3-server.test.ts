/** The behaviour of storages on an S3 server that keeps real files, and tables of some size on it. */
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { quoteLiteral, readableScanSql } from '../../engine/index.js';
import type { TableMetadata } from '../../iceberg/index.js';
import { openFiles } from '../../scans/index.js';
import { stageInTurn } from '../../staging/index.js';
import { Uploads } from '../../staging/uploads.js';
import { DiskCache, type FileIO, listFiles } from '../../storage/index.js';
import { S3FileIO } from '../../storage/s3/s3-file-io.js';
import { S3_DIALECT } from '../../storage/s3/s3-options.js';
import { describeStorageBehavior } from '../conformance/storage-behavior.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { type SeenRequest, startFaultyProxy } from '../support/faulty-proxy.js';
import { KMS_KEY, type S3Server, startMinio } from '../support/s3-server.js';
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

test('objects are encrypted by the key of the options, however they are made, and every request says who pays', async () => {
  const proxy = await startFaultyProxy(server.endpoint);
  onTestFinished(() => proxy.close());
  // As a bucket whose requester pays.
  proxy.fateOf = ({ headers }) =>
    headers['x-amz-request-payer'] === 'requester'
      ? 'pass'
      : { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' };
  const root = newRoot();
  const open = (key: string, completesConditionally = true): FileIO =>
    new S3FileIO({
      roots: [root],
      options: {
        ...server.options,
        's3.endpoint': proxy.address,
        's3.sse.type': 'kms',
        's3.sse.key': key,
        's3.requester-pays': 'true',
      },
      dialect: { ...S3_DIALECT, completesConditionally },
    });
  const io = open(KMS_KEY);
  const large = async function* () {
    for (let piece = 1; piece <= 20; piece += 1) yield Buffer.alloc(2 ** 20, await Promise.resolve(piece));
  };
  await io.create(`${root}/put`, Buffer.from('row'));
  await io.createFrom(`${root}/parts`, large());
  await open(KMS_KEY, false).createFrom(`${root}/copied`, large());
  for (const name of ['put', 'parts', 'copied']) {
    const [Bucket, Key] = ['warehouse', `${root.slice('s3://warehouse/'.length)}/${name}`];
    const { ServerSideEncryption, SSEKMSKeyId } = await server.client.send(new HeadObjectCommand({ Bucket, Key }));
    expect([name, ServerSideEncryption, SSEKMSKeyId]).toEqual([name, 'aws:kms', `arn:aws:kms:${KMS_KEY}`]);
  }
  expect((await io.stat(`${root}/put`)).sizeBytes).toBe(3);
  expect(Buffer.from(await io.read(`${root}/put`)).toString()).toBe('row');
  expect((await io.read(`${root}/copied`)).at(-1)).toBe(20);
  expect((await io.readTail(`${root}/parts`, 3)).bytes).toEqual(new Uint8Array([20, 20, 20]));
  const listed: string[] = [];
  for await (const { location } of listFiles(io, root)) listed.push(location);
  expect(listed).toEqual(['copied', 'parts', 'put'].map((name) => `${root}/${name}`));
  await io.delete(...listed);
  expect(new Set(proxy.seen.map(({ method }) => method))).toEqual(new Set(['PUT', 'POST', 'HEAD', 'GET', 'DELETE']));
  const makes = ({ method, path }: SeenRequest): boolean =>
    (method === 'PUT' && !path.includes('partNumber=')) || (method === 'POST' && /[?&]uploads/.test(path));
  const asked = proxy.seen.filter(makes).map(({ headers }) => headers['x-amz-server-side-encryption-aws-kms-key-id']);
  expect(asked).toEqual(Array.from({ length: 4 }, () => KMS_KEY));
  const refused = await failureOf(open('another-key').create(`${root}/other`, new Uint8Array(1)));
  expect([refused.code, refused.message]).toEqual([
    'STORAGE_UNAVAILABLE',
    `Cannot create "${root}/other": the store cannot use the key of its encryption. Correct s3.sse.key, or allow these credentials to use the key.`,
  ]);
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
    const sums = 'count(*)::INT, sum(v3::DECIMAL(18, 17))::VARCHAR, max(v9)::VARCHAR';
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

const MEBIBYTE = 2 ** 20;

/** A store whose creations wait until they are let through, one after the other. */
class HeldStore extends S3FileIO {
  readonly begun: string[] = [];
  readonly #held: (() => void)[] = [];

  override async createFrom(location: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    this.begun.push(location);
    await new Promise<void>((resolve) => this.#held.push(resolve));
    await super.createFrom(location, content);
  }

  letThrough(): void {
    this.#held.shift()?.();
  }
}

const openHeldStore = (root: string) => new HeldStore({ roots: [root], options: server.options });

async function listed(io: FileIO, root: string): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for await (const { location, sizeBytes } of listFiles(io, root)) found.set(location, sizeBytes);
  return found;
}

test('finished files leave the disk as they are uploaded, and whoever writes more waits for room', async () => {
  const root = newRoot();
  const io = openHeldStore(root);
  const folder = temporaryFolder();
  const uploads = new Uploads(io, folder, 3 * MEBIBYTE);
  const onDisk = async (): Promise<number> => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).length;
  };
  const location = (index: number): string => `${root}/data/${index}.parquet`;
  for (let index = 0; index < 12; index++) {
    const path = join(folder, `${index}`);
    await writeFile(path, Buffer.alloc(MEBIBYTE, index));
    let isOver = false;
    const adding = uploads.add([{ path, location: location(index) }]).then(() => {
      isOver = true;
    });
    if (index >= 3) {
      while (io.begun.length <= index) await setImmediate();
      for (let turn = 0; turn < 10; turn++) await setImmediate();
      expect([isOver, await onDisk()]).toEqual([false, 4]);
      io.letThrough();
    }
    await adding;
    expect(await onDisk()).toBe(Math.min(index + 1, 3));
  }
  const finishing = uploads.finish();
  for (let left = 0; left < 3; left++) io.letThrough();
  await finishing;
  await uploads.close();
  expect(await readdir(folder)).toEqual([]);
  expect(await listed(io, root)).toEqual(
    new Map(Array.from({ length: 12 }, (_, index) => [location(index), MEBIBYTE] as const)),
  );
  for (const index of [0, 11]) expect((await io.read(location(index))).every((byte) => byte === index)).toBe(true);
});

test('files of one statement are uploaded while the next one runs; if one fails, none of the attempt remains', async () => {
  const harness = await openHarness();
  try {
    const schema = schemaOf(field(1, 'id', { kind: 'long' }));
    const tableAt = (location: string) =>
      ({
        location,
        properties: new Map(),
        schemas: [schema],
        currentSchemaId: 0,
        partitionSpecs: [{ specId: 0, fields: [] }],
        defaultSpecId: 0,
        sortOrders: [],
        defaultSortOrderId: 0,
      }) as unknown as TableMetadata;
    const stageThree = async (io: HeldStore, root: string, before: (statement: number) => Promise<void>) =>
      await harness.engine.withConnection((connection) =>
        stageInTurn(connection, { io, metadata: tableAt(root) }, async (stage) => {
          const files = [];
          for (let statement = 0; statement < 3; statement++) {
            await before(statement);
            files.push(...(await stage({ select: `SELECT ${statement}::BIGINT`, namePrefix: `part-${statement}` })));
          }
          for (let left = 0; left < 3; left++) io.letThrough();
          return files;
        }),
      );

    const root = newRoot();
    const io = openHeldStore(root);
    // No upload ends before all statements have run.
    const files = await stageThree(io, root, (statement) => {
      expect(io.begun).toHaveLength(statement);
      return Promise.resolve();
    });
    const names = [0, 1, 2].map((statement) => `${root}/data/part-${statement}-0.parquet`);
    expect(files.map(({ filePath }) => filePath)).toEqual(names);
    expect([...(await listed(io, root)).keys()].toSorted()).toEqual(names);

    const taken = newRoot();
    const other = openHeldStore(taken);
    await other.create(`${taken}/data/part-1-0.parquet`, new Uint8Array(1));
    const code = await rejectionCode(stageThree(other, taken, () => Promise.resolve()));
    expect(code).toBe('FILE_ALREADY_EXISTS');
    expect(await listed(other, taken)).toEqual(new Map([[`${taken}/data/part-1-0.parquet`, 1]]));
  } finally {
    await harness.close();
  }
});
