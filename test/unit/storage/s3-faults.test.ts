/** Faults of a store, one by one: what comes of each of them, and how often the store is asked. A faulty proxy stands in front of moto. */
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { joined } from '../../../storage/index.js';
import { S3FileIO } from '../../../storage/s3/s3-file-io.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { type Fate, type FaultyProxy, type SeenRequest, startFaultyProxy } from '../../support/faulty-proxy.js';
import { describeInterop } from '../../support/python.js';
import { type S3Server, startS3Server } from '../../support/s3-server.js';

const ROOT = 's3://bucket/w';
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

let server: S3Server;
let proxy: FaultyProxy;
let files = 0;
/** A location that nobody has used. */
const newFile = (): string => `${ROOT}/${(files += 1)}`;
const behindProxy = (options: Readonly<Record<string, string>> = {}) =>
  new S3FileIO({ roots: [ROOT], options: { ...server.options, 's3.endpoint': proxy.address, ...options } });
const direct = () => new S3FileIO({ roots: [ROOT], options: server.options });

/** Requests of a method have these fates, one after the other, and pass afterwards. */
function spoil(method: string, ...fates: readonly Fate[]): void {
  const left = [...fates];
  proxy.seen.length = 0;
  proxy.fateOf = (seen) => (seen.method === method ? (left.shift() ?? 'pass') : 'pass');
}
const asked = (method: string): number => proxy.seen.filter((seen: SeenRequest) => seen.method === method).length;

const failure = (status: number, code: string): Fate => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>told by the proxy</Message></Error>`,
});
/** The store has done it, and something in between answers with an error. */
const after = (status: number): Fate => ({
  deliver: (answer) => ({ ...answer, status, body: Buffer.from('<html>Bad gateway</html>') }),
});
const PAGE: Fate = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Log in, please.</html>' };
const forever = (fate: Fate): readonly Fate[] => Array.from({ length: 100 }, () => fate);

describeInterop('S3 behind a faulty proxy', () => {
  beforeAll(async () => {
    server = await startS3Server();
    await server.makeBucket('bucket');
    proxy = await startFaultyProxy(server.endpoint);
  });
  beforeEach(() => {
    proxy.fateOf = () => 'pass';
  });
  afterAll(() => Promise.all([proxy.close(), server.close()]));

  test.each<[string, Fate]>([
    ['was not done, by 503 SlowDown', failure(503, 'SlowDown')],
    ['was not done, by 500', failure(500, 'InternalError')],
    ['was not done: its connection was reset', 'drop'],
    ['was done, and answered with 500', after(500)],
    ['was done, and answered with 502', after(502)],
    ['was done, and its answer was lost', 'lose'],
    ['met another creation, by 409', failure(409, 'ConditionalRequestConflict')],
  ])('a creation that %s is there once in the end', async (_, fate) => {
    const location = newFile();
    spoil('PUT', fate, fate);
    await behindProxy().create(location, bytes('mine'));
    expect(text(await direct().read(location))).toBe('mine');
    expect(asked('PUT')).toBe(3);
  });

  test('a creation that meets its own object in a conflict (409) has landed', async () => {
    const location = newFile();
    spoil('PUT', 'lose', failure(409, 'ConditionalRequestConflict'));
    await behindProxy().create(location, bytes('mine'));
    expect([text(await direct().read(location)), asked('PUT')]).toEqual(['mine', 2]);
    spoil('PUT', ...forever(failure(409, 'ConditionalRequestConflict')));
    expect(await rejectionCode(behindProxy().create(newFile(), bytes('mine')))).toBe('STORAGE_UNAVAILABLE');
    expect(asked('PUT')).toBe(4);
  });

  test.each([
    ['503', failure(503, 'SlowDown')],
    ['a page of somebody else', PAGE],
  ])(
    'a creation of which it cannot be told who made the file is not said to be that of another: the answer is %s',
    async (_, answer) => {
      const location = newFile();
      // The first request has made it, and the second one meets its file.
      spoil('PUT', after(500));
      const ofPut = proxy.fateOf;
      proxy.fateOf = (seen) => (seen.method === 'HEAD' ? answer : ofPut(seen));
      expect(await rejectionCode(behindProxy().create(location, bytes('mine')))).toBe('STORAGE_UNAVAILABLE');
      expect(text(await direct().read(location))).toBe('mine');
    },
  );

  test('a creation that somebody else acknowledges has not landed, and so says the error', async () => {
    const location = newFile();
    spoil('PUT', PAGE);
    const refused = await failureOf(behindProxy().create(location, bytes('mine')));
    expect([refused.code, refused.message]).toEqual([
      'STORAGE_UNAVAILABLE',
      `The answer about the creation of "${location}" is not that of an object store. Correct s3.endpoint, or look at the proxies on the way.`,
    ]);
    const head = new HeadObjectCommand({ Bucket: 'bucket', Key: location.slice('s3://bucket/'.length) });
    await expect(server.client.send(head)).rejects.toThrow();
  });

  const CONTENT = '0123456789'.repeat(100);
  test.each<[string, Fate]>([
    ['503 SlowDown', failure(503, 'SlowDown')],
    ['500', failure(500, 'InternalError')],
    ['a reset before the answer', 'drop'],
    ['a reset in the midst of the body', { deliver: (answer) => ({ ...answer, cutAfter: 5 }) }],
    [
      'fewer bytes than the range',
      { deliver: ({ body, ...answer }) => ({ ...answer, body: body.subarray(0, body.length - 3) }) },
    ],
    ['a page of somebody else', PAGE],
    [
      'other bytes of the same length',
      {
        deliver: ({ body, headers = {}, ...answer }) => ({
          ...answer,
          body: body.map(() => 120),
          headers: {
            ...headers,
            ...(headers['content-range'] === undefined ? {} : { 'content-range': 'bytes 0-9/1000' }),
          },
        }),
      },
    ],
  ])('bytes are asked for again after %s', async (name, fate) => {
    const location = newFile();
    await direct().create(location, bytes(CONTENT));
    const range = { offset: 500, length: 100 };
    spoil('GET', fate);
    const read = await joined(behindProxy().readRange(location, range));
    expect([text(read), asked('GET')]).toEqual([CONTENT.slice(500, 600), 2]);
    // The whole of a file says nothing of its length but by its own.
    if (name.startsWith('fewer') || name.startsWith('other')) return;
    spoil('GET', fate);
    expect(text(await behindProxy().read(location))).toBe(CONTENT);
    if (name.startsWith('503')) return; // the client waits long in between
    spoil('GET', ...forever(fate));
    expect(await rejectionCode(behindProxy().read(location))).toBe('STORAGE_UNAVAILABLE');
    expect(asked('GET')).toBeLessThanOrEqual(20);
  });

  test('bytes of another ETag than the expected one are those of another file, whatever the store says', async () => {
    const location = newFile();
    await direct().create(location, bytes(CONTENT));
    const { identity } = await direct().stat(location);
    const otherTag: Fate = { deliver: (answer) => ({ ...answer, headers: { ...answer.headers, etag: '"other"' } }) };
    spoil('GET', otherTag, otherTag);
    expect(await rejectionCode(behindProxy().read(location, { identity }))).toBe('FILE_CHANGED');
    expect(await rejectionCode(joined(behindProxy().readRange(location, { offset: 0, length: 10, identity })))).toBe(
      'FILE_CHANGED',
    );
  });

  test('a body that comes byte by byte is given up, and asked for again from there', async () => {
    const location = newFile();
    await direct().create(location, bytes(CONTENT));
    const slow: Fate = { deliver: (answer) => ({ ...answer, bytesPerSecond: 20 }) };
    const io = behindProxy({ 's3.request-timeout': '0.3' });
    spoil('GET', slow);
    expect([text(await io.read(location)), asked('GET')]).toEqual([CONTENT, 2]);
    spoil('GET', ...forever(slow));
    expect((await failureOf(io.read(location))).message).toMatch(
      /^The store sends ".*" too slowly: not 9\d\d bytes in/,
    );
    expect(asked('GET')).toBe(4);
  });

  test('a list that is cut, or of somebody else, is not an empty one', async () => {
    const location = newFile();
    await direct().create(`${location}/a`, bytes('x'));
    const page = () => behindProxy().listPage(location, { maxFiles: 10 });
    const cut: Fate = { deliver: (answer) => ({ ...answer, cutAfter: 60 }) };
    for (const fate of ['drop', 'lose', failure(503, 'SlowDown'), cut] as const) {
      spoil('GET', fate);
      expect((await page()).files.map((file) => file.location)).toEqual([`${location}/a`]);
    }
    for (const fate of [PAGE, { status: 200, body: '' }]) {
      spoil('GET', ...forever(fate));
      expect(await rejectionCode(page())).toBe('STORAGE_UNAVAILABLE');
    }
  });

  test('a deletion of which nobody knows whether it was done is repeated', async () => {
    for (const fate of ['lose', 'drop', after(500), failure(503, 'SlowDown')] as const) {
      const location = newFile();
      await direct().create(location, bytes('x'));
      spoil('POST', fate);
      await behindProxy().delete(location);
      expect(await rejectionCode(direct().stat(location))).toBe('FILE_NOT_FOUND');
    }
  });

  test('a file that is not found though it was just written is an error, not an empty one', async () => {
    const location = newFile();
    await direct().create(location, bytes('x'));
    proxy.fateOf = ({ method }) => (method === 'HEAD' ? { status: 404, body: '' } : failure(404, 'NoSuchKey'));
    const io = behindProxy();
    expect(await rejectionCode(io.read(location))).toBe('FILE_NOT_FOUND');
    expect(await rejectionCode(joined(io.readRange(location, { offset: 0, length: 1 })))).toBe('FILE_NOT_FOUND');
    expect(await rejectionCode(io.readTail(location, 1))).toBe('FILE_NOT_FOUND');
    expect(await rejectionCode(io.stat(location))).toBe('FILE_NOT_FOUND');
  });

  test.each<[string, string, Fate]>([
    ['a part', 'partNumber', 'lose'],
    ['a part', 'partNumber', 'drop'],
    ['a part', 'partNumber', failure(503, 'SlowDown')],
    ['the end', 'uploadId=', 'lose'],
    ['the end', 'uploadId=', 'drop'],
    ['the end', 'uploadId=', after(500)],
  ])('an upload survives what befalls %s (%s)', async (_, mark, fate) => {
    const location = newFile();
    let isSpoiled = false;
    proxy.fateOf = ({ method, path }) => {
      const isIt = path.includes(mark) && method === (mark === 'partNumber' ? 'PUT' : 'POST');
      if (!isIt || isSpoiled) return 'pass';
      isSpoiled = true;
      return fate;
    };
    async function* content() {
      for (let piece = 0; piece < 5; piece += 1) {
        await Promise.resolve();
        yield new Uint8Array(4 * 2 ** 20).fill(piece);
      }
    }
    await behindProxy().createFrom(location, content());
    expect(isSpoiled).toBe(true);
    expect((await direct().stat(location)).sizeBytes).toBe(20 * 2 ** 20);
    expect([...(await joined(direct().readRange(location, { offset: 19 * 2 ** 20, length: 2 })))]).toEqual([4, 4]);
  });
});
