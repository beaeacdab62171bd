import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createMoraine, type Moraine } from '../../../client/index.js';
import type { ConfigInput } from '../../../config/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { createApiKey, deleteApiKey, readKeyFile, type Service, startService } from '../../../service/index.js';
import { WatchedFiles } from '../../../service/watched-files.js';
import { FeatureLab } from '../../support/feature-lab.js';

const DEFINITIONS = {
  entities: [{ name: 'driver', joinKeys: ['driver_id'] }],
  featureViews: ['trips', 'unread'].map((name) => ({
    name,
    entities: ['driver'],
    source: { table: 'demo.t', timestampField: 'event_ts' },
    features: ['count'],
    online: true,
  })),
  featureServices: [{ name: 'rating', features: [{ view: 'trips', features: ['count'] }] }],
};
const T = '2026-03-01T00:00:00Z';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.t', { driver_id: 'long', event_ts: 'timestamptz', count: 'long' });
  await append(9_007_199_254_740_993n);
});
afterAll(() => lab.close());

/** Appends a row of driver 1 and materializes it. */
async function append(count: bigint): Promise<void> {
  await lab.append(
    'demo.t',
    `SELECT 1::BIGINT AS driver_id, '${T}'::TIMESTAMPTZ AS event_ts, ${count}::BIGINT AS count`,
  );
  lab.define(DEFINITIONS);
  await materializeDirect({ ...lab.deps, catalog: lab.catalog }, { view: 'trips' });
}

interface Running {
  readonly service: Service;
  readonly log: string[];
  readonly post: (body: unknown, headers?: Readonly<Record<string, string>>) => Promise<Response>;
  readonly get: (path: string, init?: RequestInit) => Promise<Response>;
  readonly close: () => Promise<void>;
}

/** The project, as an application opens it. */
async function open(server: NonNullable<ConfigInput['server']> = {}): Promise<Moraine> {
  const { folder } = lab;
  const config = {
    catalogs: { main: { uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse') } },
    engine: { threads: 2 },
    online: { readTimeoutMs: 60_000 },
    server: { queueTimeoutMs: 60_000, port: 0, ...server },
  };
  const moraine = await createMoraine({ config, cwd: folder, fileFolders: [folder] });
  await moraine.apply(DEFINITIONS);
  return moraine;
}

async function run(server: NonNullable<ConfigInput['server']>): Promise<Running> {
  const moraine = await open(server);
  const log: string[] = [];
  const { project } = moraine;
  const service = await startService({ project, version: '1.2.3', log: { write: (line) => void log.push(line) } });
  const get = (path: string, init: RequestInit = {}) => fetch(`${service.url}${path}`, init);
  const post = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    get('/get-online-features', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const close = async (): Promise<void> => {
    await service.close();
    await moraine.close();
  };
  return { service, log, get, post, close };
}

/** A service that ends with the test. */
async function start(server: NonNullable<ConfigInput['server']> = {}): Promise<Running> {
  const running = await run(server);
  onTestFinished(running.close);
  return running;
}

/** One service for questions that change nothing. */
let running: Promise<Running> | undefined;
afterAll(async () => (await running)?.close());
function shared(): Promise<Running> {
  running ??= run({ maxEntities: 3 });
  return running;
}

/** What starting a service on the project says. */
async function refusalOf(options: { readonly host?: string; readonly port?: number }, keys?: string): Promise<string> {
  const moraine = await open(keys === undefined ? {} : { keys });
  onTestFinished(() => moraine.close());
  return await startService({ project: moraine.project, version: '', ...options }).then(
    () => 'started',
    (error: Error) => error.message,
  );
}

const QUESTION = { entities: { driver_id: [1, 2] }, features: ['trips:count'] };

describe('the service', () => {
  it('answers online reads, and names the snapshots', async () => {
    const { post } = await start();
    const first = await post(QUESTION);
    expect(first.status).toBe(200);
    expect(first.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const epoch = '1970-01-01T00:00:00Z';
    expect(await first.text()).toBe(
      `{"metadata":{"feature_names":["driver_id","count"]},"results":[` +
        `{"values":[1,2],"statuses":["PRESENT","PRESENT"],"event_timestamps":["${epoch}","${epoch}"]},` +
        `{"values":[9007199254740993,null],"statuses":["PRESENT","NOT_FOUND"],"event_timestamps":["${T}","${epoch}"]}]}`,
    );
    const staleness = Number(first.headers.get('moraine-staleness-ms'));
    expect(staleness).toBeGreaterThanOrEqual(0);
    expect(staleness).toBeLessThanOrEqual(10_000);

    await append(5n);
    const { currentSnapshotId, lastSequenceNumber, tableUuid } = (await lab.table('moraine_online.trips')).metadata;
    const wanted = `trips=${currentSnapshotId}`;
    const second = await post(QUESTION, { 'Moraine-Min-Snapshot': wanted });
    expect(second.headers.get('moraine-snapshots')).toBe(`${wanted};sequence=${lastSequenceNumber};table=${tableUuid}`);
    expect(await second.text()).toContain('"values":[5,null]');
  });

  it.each([
    [
      'an unknown view',
      { ...QUESTION, features: ['trip:count'] },
      404,
      'FEATURE_VIEW_NOT_FOUND',
      "Did you mean 'trips'?",
    ],
    [
      'an unknown feature',
      { ...QUESTION, features: ['trips:cuont'] },
      404,
      'FEATURE_NOT_FOUND',
      "Did you mean 'count'?",
    ],
    [
      'an unknown service',
      { entities: { driver_id: [1] }, feature_service: 'ratin' },
      404,
      'FEATURE_SERVICE_NOT_FOUND',
      "There is no feature service 'ratin'. Did you mean 'rating'?",
    ],
    [
      'a view that was never materialized',
      { ...QUESTION, features: ['unread:count'] },
      404,
      'TABLE_NOT_FOUND',
      "'unread'",
    ],
    ['a missing join key', { ...QUESTION, entities: { driver: [1] } }, 400, 'INVALID_ARGUMENT', "join key 'driver_id'"],
    [
      'a misspelt join key',
      { ...QUESTION, entities: { zone: [1], drivr_id: [1] } },
      400,
      'INVALID_ARGUMENT',
      "Should 'drivr_id' be 'driver_id'?",
    ],
    [
      'a key of another type',
      { ...QUESTION, entities: { driver_id: ['1'] } },
      400,
      'TYPE_MISMATCH',
      "'1' of the join key",
    ],
    ['a fraction', { ...QUESTION, entities: { driver_id: [1.5] } }, 400, 'TYPE_MISMATCH', '1.5'],
    ['a key that is a list', { ...QUESTION, entities: { driver_id: [[1]] } }, 400, 'TYPE_MISMATCH', 'driver_id'],
    [
      'entities as rows',
      { ...QUESTION, entities: [{ driver_id: 1 }] },
      400,
      'INVALID_ARGUMENT',
      "The body's entities must be object.",
    ],
    [
      'a column that is none',
      { ...QUESTION, entities: { driver_id: 1 } },
      400,
      'INVALID_ARGUMENT',
      "The body's entities.driver_id must be array.",
    ],
    [
      'a misspelt field',
      { ...QUESTION, full_feature_name: true },
      400,
      'INVALID_ARGUMENT',
      "Did you mean 'full_feature_names'?",
    ],
    ['a text for a flag', { ...QUESTION, full_feature_names: 'true' }, 400, 'INVALID_ARGUMENT', 'must be boolean'],
    ['no entities', { features: ['trips:count'] }, 400, 'INVALID_ARGUMENT', "The body has no 'entities'."],
    ['a null body', 'null', 400, 'INVALID_ARGUMENT', 'must be object'],
    [
      'a column __proto__',
      '{"entities": {"__proto__": [1]}, "features": ["trips:count"]}',
      400,
      'INVALID_ARGUMENT',
      '__proto__',
    ],
    [
      'a field __proto__',
      '{"entities": {"driver_id": [1]}, "features": ["trips:count"], "__proto__": {}}',
      400,
      'INVALID_ARGUMENT',
      "'__proto__'",
    ],
    ['NaN', '{"entities": {"driver_id": [NaN]}}', 400, 'INVALID_ARGUMENT', 'JSON has no NaN'],
    [
      'too many entities',
      { ...QUESTION, entities: { driver_id: [1, 2, 3, 4] } },
      413,
      'LIMIT_EXCEEDED',
      'server.maxEntities',
    ],
    ['a large body', `"${'x'.repeat(2 ** 20)}"`, 413, 'LIMIT_EXCEEDED', '1 MiB'],
  ])('refuses %s', async (_, body, status, code, message) => {
    const { post } = await shared();
    const answer = await post(body);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    const json = (await answer.json()) as { error: string; remedy: string };
    expect([answer.status, json]).toEqual([
      status,
      { error: expect.stringContaining(message) as string, code, remedy: json.remedy },
    ]);
    expect(json.error).toMatch(/^[A-Z].*[.?]$/s);
    expect(json.remedy).toMatch(/^[A-Z].*\.$/s);
  });

  it('takes __proto__ in batches for a name like any other', async () => {
    const { get } = await shared();
    const batch = async (entities: string, more = '') => {
      const body = `{"feature_views":["trips"],"entities":[${entities}]${more}}`;
      const headers = { 'content-type': 'application/json' };
      const answer = await get('/feast/predictions/batch', { method: 'POST', headers, body });
      return [answer.status, await answer.text()] as const;
    };
    const [plain, beside] = [
      await batch('{"driver_id":1}'),
      await batch('{"driver_id":1,"__proto__":{"driver_id":2}}'),
    ];
    expect([plain[0], beside]).toEqual([200, plain]);
    expect(plain[1]).toContain('"entities":{"driver_id":1},"features":{"count":');
    const inside = await batch('{"__proto__":{"driver_id":1}}');
    expect([inside[0], inside[1]]).toEqual([
      400,
      expect.stringContaining("the join key 'driver_id' (it has: __proto__)"),
    ]);
    const field = await batch('{"driver_id":1}', ',"__proto__":{"full_feature_names":true}');
    expect([field[0], field[1]]).toEqual([400, expect.stringContaining("unknown field '__proto__'")]);
  });

  it('refuses a snapshot that is not there, another media type, paths and methods that it does not have', async () => {
    const { post, get } = await shared();
    const code = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code];
    expect(await code(await post(QUESTION, { 'moraine-min-snapshot': 'trips=7' }))).toEqual([
      404,
      'SNAPSHOT_NOT_FOUND',
    ]);
    expect(await code(await post(QUESTION, { 'moraine-min-snapshot': 'zones=7' }))).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await code(await post(QUESTION, { 'content-type': 'text/plain' }))).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED']);
    expect(await code(await get('/get-online-feature'))).toEqual([404, 'PATH_NOT_FOUND']);
    expect(await code(await get('/%zz'))).toEqual([400, 'INVALID_ARGUMENT']);
    const wrong = await get('/get-online-features');
    expect(wrong.headers.get('allow')).toBe('POST');
    expect(await code(wrong)).toEqual([405, 'METHOD_NOT_ALLOWED']);
    // Whatever its body is.
    for (const method of ['QUERY', 'PUT']) {
      const refused = await get('/health', { method, headers: { 'content-type': 'text/plain' }, body: 'x' });
      expect([refused.headers.get('allow'), ...(await code(refused))]).toEqual([
        'GET, HEAD',
        405,
        'METHOD_NOT_ALLOWED',
      ]);
    }
    expect(await code(await get('/search', { method: 'POST', body: 'x' }))).toEqual([404, 'PATH_NOT_FOUND']);
    const deleted = await get('/health?x=1', { method: 'DELETE' });
    expect(deleted.headers.get('allow')).toBe('GET, HEAD');
    expect(await code(deleted)).toEqual([405, 'METHOD_NOT_ALLOWED']);
  });

  it('tells its health, its readiness, its metrics and its paths', async () => {
    const { post, get, service } = await start();
    expect(await (await get('/health')).json()).toEqual({ status: 'ok' });
    const ready = await get('/ready');
    expect([ready.status, await ready.json()]).toEqual([
      200,
      {
        status: 'ready',
        views: [
          { name: 'trips', status: 'open', snapshot: expect.stringMatching(/^\d+$/) as string },
          {
            name: 'unread',
            status: 'refused',
            code: 'TABLE_NOT_FOUND',
            error: expect.stringContaining('unread') as string,
          },
        ],
      },
    ]);
    await post(QUESTION);
    await post({});
    const metrics = await (await get('/metrics')).text();
    expect(metrics).toContain(
      'moraine_http_request_duration_seconds_count{path="/get-online-features",status="200"} 1\n',
    );
    expect(metrics).toContain(
      'moraine_http_request_duration_seconds_count{path="/get-online-features",status="400"} 1\n',
    );
    expect(metrics).toContain('moraine_online_entities_total 2\n');
    expect(metrics).toMatch(/^moraine_online_cache_parts [1-9]/m);
    const figures = async () =>
      new Map(
        (await (await get('/metrics')).text())
          .split('\n')
          .map((line) => line.split(' '))
          .flatMap(([name, value]) => (name?.startsWith('moraine_') === true ? [[name, Number(value)] as const] : [])),
      );
    const cold = await figures();
    await post(QUESTION);
    const warm = await figures();
    const figuresOf = (from: ReadonlyMap<string, number>) =>
      ['bytes', 'hits_total', 'misses_total', 'evictions_total'].map((name) =>
        from.get(`moraine_online_cache_${name}`),
      );
    const [bytes = 0, hits = 0, misses = 0] = figuresOf(cold);
    expect(bytes).toBeGreaterThan(0);
    expect(misses).toBeGreaterThan(0);
    // Drivers 1 and 2 are in two buckets, whose parts the first read has decoded.
    expect(figuresOf(warm)).toEqual([bytes, hits + 2, misses, 0]);
    expect(
      ['read_queue_requests', 'retrievals_running', 'retrievals_limit', 'batches_running', 'batches_limit'].map(
        (name) => warm.get(`moraine_${name}`),
      ),
    ).toEqual([0, 0, 2, 0, 2]);
    // Every run of these tests has written a row of one driver: a file in its bucket.
    const [files, perRead, perEntity] = ['files', 'files_per_read', 'rows_per_entity'].map(
      (name) => new RegExp(`^moraine_online_view_${name}\\{view="trips"\\} ([1-9]\\d*)$`, 'm').exec(metrics)?.[1],
    );
    expect(files).toBeDefined();
    expect([perRead, perEntity]).toEqual([files, files]);
    expect(metrics).toMatch(/^moraine_online_view_age_seconds\{view="trips"\} \d/m);
    const document = (await (await get('/openapi.json')).json()) as {
      info: object;
      paths: Record<string, Record<string, { security?: unknown }>>;
    };
    expect(document.info).toMatchObject({ version: '1.2.3' });
    expect(Object.keys(document.paths)).toEqual([
      '/get-online-features',
      '/write-to-online-store',
      '/push',
      '/feast/predictions/batch',
      '/get-historical-features',
      '/materialize',
      '/materialize-incremental',
      '/backfill',
      '/compact',
      '/feast/status',
      '/feast/features',
      '/feast/features/service',
      '/tables/{namespace}/{table}/files',
      '/health',
      '/ready',
      '/metrics',
      '/openapi.json',
    ]);
    const scopes = Object.entries(document.paths).map(([path, methods]) => {
      return [path, Object.entries(methods).map(([method, { security }]) => [method, security])];
    });
    expect(Object.fromEntries(scopes)).toMatchObject({
      '/get-online-features': [['post', [{ key: ['read'] }]]],
      '/push': [['post', [{ key: ['write'] }]]],
      '/feast/features': [
        ['get', [{ key: ['read'] }]],
        ['post', [{ key: ['admin'] }]],
      ],
      '/ready': [['get', undefined]],
    });
    await service.close();
    await expect(get('/health')).rejects.toThrow();
  });

  it.each(['/get-online-features', '/get-historical-features'])(
    'answers 408 to a request to %s that does not arrive',
    async (path) => {
      const { service } = await start({ requestTimeoutMs: 300 });
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
      socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{`);
      const answer = await text(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 408 .*\r\n\r\n\{"error":.*"code":"REQUEST_TIMED_OUT"/s);
    },
  );

  it('sends errors as pages to those who prefer HTML, where they look at what is there', async () => {
    const { get, post } = await shared();
    const typeOf = ({ headers }: Response) => headers.get('content-type')?.split(';')[0];
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';
    const [html, json] = ['text/html', 'application/json'];
    const wanted = [
      [browser, html],
      ['text/html', html],
      ['text/html, application/json', html],
      ['application/json;q=0.5, text/html', html],
      ['application/json, text/html', json],
      ['application/json, text/html;q=0.1', json],
      ['*/*', json],
      ['application/json, text/*;q=0.9', json],
      ['text/html;q=0', json],
      ['image/png', json],
    ] as const;
    for (const [accept, type] of wanted) {
      const answer = await get('/nothing', { headers: { accept } });
      expect([accept, answer.status, typeOf(answer)]).toEqual([accept, 404, type]);
    }
    const refused = await post({}, { accept: browser });
    expect([refused.status, typeOf(refused)]).toEqual([400, json]);
    const deleted = await get('/ui/views/x', { method: 'DELETE', headers: { accept: browser } });
    expect([deleted.status, typeOf(deleted)]).toEqual([405, html]);
    const headers = { accept: browser, 'sec-fetch-site': 'cross-site' };
    const form = await get('/ui/entity', { method: 'POST', headers, body: new URLSearchParams() });
    expect([form.status, typeOf(form)]).toEqual([403, html]);
  });

  it('takes bodies of retrievals that trickle beside others, and not too many', async () => {
    const { get } = await start({ maxRetrievals: 1 });
    const leaving = new AbortController();
    const retrieve = async (body: NonNullable<RequestInit['body']>) => {
      const headers = { 'content-type': 'application/vnd.apache.arrow.stream' };
      const init = { method: 'POST', headers, body, duplex: 'half', signal: leaving.signal };
      const answer = await get('/get-historical-features?features=trips', init as RequestInit);
      return [answer.status, ((await answer.json()) as { code: string }).code];
    };
    const trickle = () => new ReadableStream({ start: (body) => body.enqueue(new Uint8Array(10)) });
    const first = retrieve(trickle()).catch(() => 'left');
    await sleep(200);
    // Of those that do not trickle one may work; this one is refused for what it is.
    expect(await retrieve('')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await (await get('/metrics')).text()).toContain('\nmoraine_retrievals_running 0\n');
    const others = Array.from({ length: 3 }, () => retrieve(trickle()).catch(() => 'left'));
    await until(async () => (await retrieve(''))[0] === 429);
    leaving.abort();
    expect(await Promise.all([first, ...others])).toEqual(['left', 'left', 'left', 'left']);
  });

  it.each([
    ['nonsense', 'nonsense\r\n\r\n'],
    // RFC 9113, 3.4: how clients of gRPC begin.
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
  ])('answers 400 to %s, in JSON', async (_, request) => {
    const { service } = await shared();
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.write(request);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 .*\r\n\r\n\{"error":"The request is not HTTP/s);
  });

  it('finishes the requests that have begun when it closes', async () => {
    const { post, service } = await start();
    const answers = Array.from({ length: 20 }, () => post(QUESTION));
    await Promise.race(answers);
    const closed = service.close();
    for (const answer of answers) expect((await answer).status).toBe(200);
    await closed;
  });

  it('closes though a request never arrives', async () => {
    const { service } = await start({ requestTimeoutMs: 300 });
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const headers = 'host: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\nexpect: 100-continue';
    socket.write(`POST /get-online-features HTTP/1.1\r\n${headers}\r\n\r\n`);
    // The service has the headers and waits for the body.
    await once(socket, 'data');
    await service.close();
  });

  it('listens for other machines only with keys', async () => {
    expect(await refusalOf({ host: '0.0.0.0' })).toMatch(
      /^The service would answer everybody at the address 0\.0\.0\.0/,
    );
  });

  it('says which address is in use', async () => {
    const port = Number(new URL((await shared()).service.url).port);
    expect(await refusalOf({ port })).toMatch(/^The service cannot listen at 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  });
});

describe('API keys', () => {
  it('are needed by scope, and are followed while the service runs', async () => {
    const file = join(lab.folder, 'keys.json');
    const read = await createApiKey(file, 'model', ['read']);
    const write = await createApiKey(file, 'ingest', ['write']);
    const admin = await createApiKey(file, 'ops', ['admin']);
    expect(read).toMatch(/^moraine_[0-9a-f]{8}_[\w-]{43}$/);
    const kept = await readFile(file, 'utf8');
    for (const key of [read, write, admin]) expect(kept).not.toContain(key.slice(17));

    const { post, get, log } = await start({ keys: file, host: '0.0.0.0', logLevel: 'debug' });
    const status = async (key: string | undefined) =>
      (await post(QUESTION, key === undefined ? {} : { authorization: `Bearer ${key}` })).status;
    expect(await status(undefined)).toBe(401);
    expect(await status('moraine_00000000_x')).toBe(401);
    expect(await status(`${read.slice(0, -1)}${read.endsWith('A') ? 'B' : 'A'}`)).toBe(401);
    expect(await status(write)).toBe(403);
    expect(await status(admin)).toBe(200);
    expect(await status(read)).toBe(200);
    expect((await get('/metrics')).status).toBe(401);
    expect((await get('/metrics')).headers.get('www-authenticate')).toBe('Bearer');
    for (const path of ['/health', '/ready', '/openapi.json']) expect((await get(path)).status).toBe(200);

    await writeFile(file, 'nonsense');
    await until(() => log.some((line) => line.includes('the file of API keys cannot be read')));
    expect(await status(read)).toBe(200);
    await writeFile(file, kept);
    await deleteApiKey(file, read.slice(8, 16));
    expect((await readKeyFile(file)).map(({ name }) => name)).toEqual(['ingest', 'ops']);
    await until(async () => (await status(read)) === 401);
    expect(await status(admin)).toBe(200);
    for (const key of [read, write, admin]) expect(log.join('')).not.toContain(key.slice(17));
    await expect(deleteApiKey(file, 'nope')).rejects.toThrow("There is no API key with the id 'nope'");
  });

  it('are all kept when many are made and deleted at once', async () => {
    const file = join(lab.folder, 'many.json');
    const names = Array.from({ length: 10 }, (_, index) => `key-${index}`);
    const made = await Promise.all(names.map((name) => createApiKey(file, name, ['read'])));
    const namesIn = async () => (await readKeyFile(file)).map(({ name }) => name).toSorted();
    expect(await namesIn()).toEqual(names);
    const ids = made.slice(1).map((key) => key.slice(8, 16));
    await Promise.all([...ids.map((id) => deleteApiKey(file, id)), createApiKey(file, 'last', ['read'])]);
    expect(await namesIn()).toEqual(['key-0', 'last']);
  });

  it('are read again at the next look if their changed file could not be read for once', async () => {
    const file = join(lab.folder, 'watched.txt');
    await writeFile(file, 'old');
    let fails = 0;
    const read = async () => {
      const content = await readFile(file, 'utf8');
      if (content === 'old' || fails === 2) return content;
      fails += 1;
      throw new Error('too many open files');
    };
    const failures: string[] = [];
    const changes: string[] = [];
    const watched = await WatchedFiles.open([file], read, {
      failed: (error) => void failures.push(String(error)),
      changed: (value) => void changes.push(value),
    });
    onTestFinished(() => watched.close());
    expect(watched.value).toBe('old');
    await writeFile(`${file}.new`, 'changed');
    await rename(`${file}.new`, file);
    await until(() => watched.value === 'changed');
    // The two failures were one reason.
    expect([fails, failures, changes]).toEqual([2, ['Error: too many open files'], ['changed']]);
  });

  it('stop the service from starting where their file cannot be read', async () => {
    const message = await refusalOf({}, join(lab.folder, 'none.json'));
    expect(message).toMatch(/^The file of API keys \(server\.keys\) .*none\.json cannot be read: /);
  });
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}
