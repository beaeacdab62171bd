/** What the behaviour suite of storages does not reach: lost and broken answers, uploads in parts, long listings, errors. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { openSqlCatalog } from '../../../catalogs/index.js';
import { measureStorageTraffic } from '../../../index.js';
import { joined, listFiles, measureTraffic, noTraffic } from '../../../storage/index.js';
import { S3FileIO } from '../../../storage/s3/s3-file-io.js';
import { WorkerMetrics } from '../../../workers/observability/metrics.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { describeInterop } from '../../support/python.js';
import { type S3Server, startS3Server } from '../../support/s3-server.js';
import { temporaryFolder } from '../../support/temp-folder.js';

let server: S3Server;

const ROOT = 's3://bucket/w';
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);
const storage = (options: Readonly<Record<string, string>> = {}) =>
  new S3FileIO({ roots: [ROOT, 's3://absent'], options: { ...server.options, ...options } });

type Answer = (incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer, status: number) => boolean;

/** A proxy before the store. `spoil` may answer a request, which the store has carried out, in its own way. */
async function spoiled(spoil: Answer, options: Readonly<Record<string, string>> = {}): Promise<S3FileIO> {
  const proxy: Server = createServer((incoming, outgoing) => {
    const to = new URL(incoming.url ?? '/', server.endpoint);
    const forward = request(to, { method: incoming.method, headers: incoming.headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => {
        const body = Buffer.concat(parts);
        if (spoil(incoming, outgoing, body, answer.statusCode ?? 0)) return;
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(body);
      });
    });
    incoming.pipe(forward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return storage({ ...options, 's3.endpoint': `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
}

async function* filled(pieces: number, size: number): AsyncGenerator<Uint8Array> {
  for (let piece = 0; piece < pieces; piece++) {
    await Promise.resolve();
    yield new Uint8Array(size).fill(piece);
  }
}

const uploads = async () => (await server.client.send(new ListMultipartUploadsCommand({ Bucket: 'bucket' }))).Uploads;

describeInterop('S3, by moto', () => {
  beforeAll(async () => {
    server = await startS3Server();
    await server.makeBucket('bucket');
  });
  afterAll(() => server.close());

  test('requests and bytes are counted for the store, for each of those who measure, and for the steps of a worker', async () => {
    const io = storage();
    await io.create(`${ROOT}/counted`, bytes('12345'));
    const [outer, inner, other] = [noTraffic(), noTraffic(), noTraffic()];
    const read = () => io.read(`${ROOT}/counted`);
    await Promise.all([
      measureTraffic(outer, async () => {
        await read();
        await measureTraffic(inner, read);
      }),
      measureTraffic(other, () => io.stat(`${ROOT}/counted`)),
    ]);
    expect([outer, inner, other, io.traffic]).toEqual([
      { requests: 2, readBytes: 10, writtenBytes: 0 },
      { requests: 1, readBytes: 5, writtenBytes: 0 },
      { requests: 1, readBytes: 0, writtenBytes: 0 },
      { requests: 4, readBytes: 10, writtenBytes: 5 },
    ]);
    const measured = await Promise.all([measureStorageTraffic(read), measureStorageTraffic(() => Promise.resolve(7))]);
    expect(measured).toEqual([
      { result: bytes('12345'), storageTraffic: { requests: 1, readBytes: 5, writtenBytes: 0 } },
      { result: 7, storageTraffic: noTraffic() },
    ]);
    const metrics = new WorkerMetrics(
      { engine: () => Promise.reject(new Error('none')) } as never,
      'http://127.0.0.1:1',
    );
    onTestFinished(() => metrics.close());
    const { inbound } = metrics.activityInterceptors({ info: { activityType: 'extractShard' } } as never);
    await inbound?.execute?.({ args: [], headers: {} }, read);
    const text = await metrics.text();
    expect(text).toContain('moraine_storage_requests_total{activity="extractShard"} 1\n');
    expect(text).toContain('moraine_storage_bytes_total{activity="extractShard",direction="read"} 5\n');
    expect(text).toContain('moraine_storage_bytes_total{activity="extractShard",direction="written"} 0\n');
  });

  test('a creation whose answer is lost is sent again, and knows its own file', async () => {
    let puts = 0;
    const io = await spoiled((incoming, outgoing) => {
      if (incoming.method !== 'PUT') return false;
      puts += 1;
      if (puts === 1) outgoing.destroy();
      return puts === 1;
    });
    await io.create(`${ROOT}/lost`, bytes('mine'));
    expect(puts).toBe(2);
    expect(text(await io.read(`${ROOT}/lost`))).toBe('mine');
    expect(await rejectionCode(io.create(`${ROOT}/lost`, bytes('mine')))).toBe('FILE_ALREADY_EXISTS');
  });

  test('a table that is known is loaded and written to without asking for what cannot have changed', async () => {
    const io = storage();
    const folder = temporaryFolder();
    const open = (files: S3FileIO) =>
      openSqlCatalog({ name: 'c', uri: join(folder, 'c.db'), warehouse: `${ROOT}/warm`, io: files });
    const catalog = await open(io);
    const identifier = { namespace: ['n'], name: 't' };
    await catalog.createNamespace(['n']);
    await catalog.createTable(identifier, { schema: { schemaId: 0, identifierFieldIds: [], fields: [] } });
    const set = (value: string) =>
      catalog.commitTable(identifier, {
        requirements: [],
        updates: [{ action: 'set-properties', updates: new Map([['p', value]]) }],
      });
    const requestsOf = async (files: S3FileIO, work: () => Promise<unknown>): Promise<number> => {
      const before = files.traffic.requests;
      await work();
      return files.traffic.requests - before;
    };
    expect(await requestsOf(io, () => catalog.loadTable(identifier))).toBe(0);
    expect(await requestsOf(io, () => set('a'))).toBe(1);
    const other = storage();
    const elsewhere = await open(other);
    expect(await requestsOf(other, () => elsewhere.loadTable(identifier))).toBe(1);
    expect(await requestsOf(other, () => elsewhere.loadTable(identifier))).toBe(0);
    await set('b');
    expect((await elsewhere.loadTable(identifier)).metadata.properties.get('p')).toBe('b');
  });

  test('a creation whose answer is lost does not take the file of another for its own', async () => {
    const other = storage();
    let puts = 0;
    const io = await spoiled((incoming, outgoing) => {
      if (incoming.method !== 'PUT') return false;
      puts += 1;
      if (puts === 1) outgoing.destroy();
      return puts === 1;
    });
    await other.create(`${ROOT}/taken`, bytes('theirs'));
    expect(await rejectionCode(io.create(`${ROOT}/taken`, bytes('mine')))).toBe('FILE_ALREADY_EXISTS');
    expect(text(await io.read(`${ROOT}/taken`))).toBe('theirs');
  });

  test('a body that breaks off is asked for again from there; one that always does is an error, never a short file', async () => {
    await storage().create(`${ROOT}/body`, bytes('0123456789'));
    const { identity: etag } = await storage().stat(`${ROOT}/body`);
    let cuts = 2;
    let asked: (string | undefined)[] = [];
    const io = await spoiled((incoming, outgoing, body, status) => {
      if (incoming.method === 'GET') asked.push(incoming.headers.range);
      if (incoming.method !== 'GET' || status >= 300 || cuts === 0) return false;
      cuts -= 1;
      const range = /\d+-\d+/.exec(incoming.headers.range ?? '');
      const from = range === null ? {} : { 'content-range': `bytes ${range[0]}/10` };
      outgoing.writeHead(status, { 'content-length': body.length, etag, ...from });
      outgoing.write(body.subarray(0, 2), () => outgoing.destroy());
      return true;
    });
    expect(text(await io.read(`${ROOT}/body`))).toBe('0123456789');
    expect(asked).toEqual([undefined, 'bytes=2-9', 'bytes=4-9']);
    [cuts, asked] = [1, []];
    expect(text(await joined(io.readRange(`${ROOT}/body`, { offset: 1, length: 4 })))).toBe('1234');
    expect(asked).toEqual(['bytes=1-4', 'bytes=3-4']);
    cuts = 100;
    expect(await rejectionCode(io.read(`${ROOT}/body`))).toBe('STORAGE_UNAVAILABLE');
  });

  test('an object that is replaced while its body is read is an error, not a mixture', async () => {
    const other = storage();
    await other.create(`${ROOT}/mixed`, bytes('0123456789'));
    let cuts = 1;
    const io = await spoiled((incoming, outgoing, body, status) => {
      if (incoming.method !== 'GET' || status >= 300 || cuts === 0) return false;
      cuts -= 1;
      outgoing.writeHead(status, { 'content-length': body.length, etag: '"of-the-former"' });
      outgoing.write(body.subarray(0, 2), () => outgoing.destroy());
      return true;
    });
    expect(await rejectionCode(io.read(`${ROOT}/mixed`))).toBe('FILE_CHANGED');
  });

  test('a store that is busy for a moment is asked again; one that stays busy is an error', async () => {
    await storage().create(`${ROOT}/busy`, bytes('x'));
    let [busy, asked] = [1, 0];
    const io = await spoiled((_, outgoing) => {
      asked += 1;
      if (busy === 0) return false;
      busy -= 1;
      const [status, code] = busy > 50 ? [500, 'InternalError'] : [503, 'SlowDown'];
      outgoing.writeHead(status).end(`<Error><Code>${code}</Code><Message>Later.</Message></Error>`);
      return true;
    });
    expect(text(await io.read(`${ROOT}/busy`))).toBe('x');
    expect(asked).toBe(2);
    [busy, asked] = [100, 0];
    expect(await rejectionCode(io.read(`${ROOT}/busy`))).toBe('STORAGE_UNAVAILABLE');
    expect(asked).toBe(5);
  });

  test('a large file is uploaded in equal parts, is there whole or not at all, and replaces nothing', async () => {
    const sizes: number[] = [];
    const io = await spoiled((incoming) => {
      if (incoming.method === 'PUT') sizes.push(Number(incoming.headers['content-length']));
      return false;
    });
    const mebibyte = 2 ** 20;
    await io.createFrom(`${ROOT}/large`, filled(7, 5 * mebibyte));
    expect(sizes.toSorted((a, b) => b - a)).toEqual([16 * mebibyte, 16 * mebibyte, 3 * mebibyte]);
    expect((await io.stat(`${ROOT}/large`)).sizeBytes).toBe(35 * mebibyte);
    for (const piece of [0, 3, 6]) {
      const [first = -1] = await joined(io.readRange(`${ROOT}/large`, { offset: piece * 5 * mebibyte, length: 1 }));
      expect(first).toBe(piece);
    }
    expect(await rejectionCode(io.createFrom(`${ROOT}/large`, filled(5, 5 * mebibyte)))).toBe('FILE_ALREADY_EXISTS');
    async function* broken() {
      yield* filled(5, 5 * mebibyte);
      throw new Error('the rows ended');
    }
    await expect(io.createFrom(`${ROOT}/broken`, broken())).rejects.toThrow('the rows ended');
    expect(await rejectionCode(io.stat(`${ROOT}/broken`))).toBe('FILE_NOT_FOUND');
    expect(await uploads()).toBeUndefined();
  });

  test('long listings and deletions go in pages; names of every kind are what they were', async () => {
    const io = storage();
    const names = [
      ...Array.from({ length: 1005 }, (_, index) => `many/${index}`),
      ...['many/a+b', 'many/%41', 'many/ä ö', 'many/a&b<c>"d\'', 'many/\u0001', 'many/=;,:@'],
    ].map((name) => `${ROOT}/${name}`);
    for (let start = 0; start < names.length; start += 32) {
      await Promise.all(names.slice(start, start + 32).map((name) => io.create(name, bytes('x'))));
    }
    const listed: string[] = [];
    for await (const { location } of listFiles(io, `${ROOT}/many`)) listed.push(location);
    expect(listed.toSorted()).toEqual(names.toSorted());
    // XML 1.0 cannot hold a control character, in which requests of deletion name objects.
    await io.delete(...names.filter((name) => !name.includes('\u0001')));
    const left: string[] = [];
    for await (const { location } of listFiles(io, `${ROOT}/many`)) left.push(location);
    expect(left).toEqual([`${ROOT}/many/\u0001`]);
  });

  test('a store that stops answering, before its answer or in the midst of it, is an error in the end', async () => {
    const options = { 's3.request-timeout': '0.3' };
    const silent = await spoiled(() => true, options);
    expect(await rejectionCode(silent.read(`${ROOT}/x`))).toBe('STORAGE_UNAVAILABLE');
    const stalled = await spoiled((_, outgoing) => {
      outgoing.writeHead(200, { 'content-length': '100', etag: '"e"' }).write('only this');
      return true;
    }, options);
    expect(await rejectionCode(stalled.read(`${ROOT}/x`))).toBe('STORAGE_UNAVAILABLE');
  });

  test('a role is taken with the credentials of the options', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_STS', server.endpoint);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const keys: string[] = [];
    const options = { 's3.role-arn': 'arn:aws:iam::123456789012:role/moraine' };
    const io = await spoiled(({ headers }) => {
      keys.push(/Credential=(\w{4})/.exec(headers.authorization ?? '')?.[1] ?? '');
      return false;
    }, options);
    await io.create(`${ROOT}/role`, bytes('x'));
    // The keys of sessions begin so.
    expect(keys).toEqual(['ASIA']);
  });

  test('errors name the file and what to change, and no secret', async () => {
    const absent = await failureOf(storage().create('s3://absent/x', bytes('x')));
    expect(absent).toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: 'Cannot create "s3://absent/x": the bucket does not exist. Make it, or correct the location.',
    });
    const nobody = await failureOf(storage({ 's3.endpoint': 'http://127.0.0.1:1' }).read(`${ROOT}/x`));
    expect(nobody.code).toBe('STORAGE_UNAVAILABLE');
    expect(nobody.message).toContain('nothing listens at the endpoint. Correct s3.endpoint');
    const denied = await spoiled((_, outgoing) => {
      outgoing.writeHead(403).end('<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>');
      return true;
    });
    const wrong = await failureOf(denied.read(`${ROOT}/x`));
    expect(wrong.message).toContain('s3.secret-access-key');
    for (const error of [absent, nobody, wrong]) {
      expect(JSON.stringify({ ...error, message: error.message })).not.toContain(
        server.options['s3.secret-access-key'],
      );
    }
  });
});
