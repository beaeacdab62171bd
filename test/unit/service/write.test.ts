/** Writes over HTTP: their values, who wins, what is refused, and that a group is one commit. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Catalog } from '../../../catalogs/index.js';
import { createMoraine } from '../../../client/index.js';
import type { ConfigInput } from '../../../config/index.js';
import { MoraineError } from '../../../errors/index.js';
import { findSnapshot } from '../../../iceberg/index.js';
import type { Project } from '../../../project/index.js';
import { createApiKey, startService } from '../../../service/index.js';
import { commitUpdates } from '../../../tables/index.js';
import { FeatureLab } from '../../support/feature-lab.js';
import { replacing } from '../../support/replacing.js';

const TYPES: Readonly<Record<string, string>> = {
  n: 'long',
  i: 'int',
  f: 'float',
  d: 'double',
  m: 'decimal(9, 2)',
  b: 'boolean',
  s: 'string',
  day: 'date',
  clock: 'time',
  at: 'timestamp',
  atz: 'timestamptz',
  u: 'uuid',
  bin: 'binary',
  list: 'list<long>',
};
const view = (name: string, features: readonly string[], created = true) => ({
  name,
  entities: ['driver'],
  source: { table: 'demo.t', timestampField: 'event_ts', ...(created ? { createdTimestampField: 'made' } : {}) },
  features,
  online: true,
});
const DEFINITIONS = {
  entities: [{ name: 'driver', joinKeys: ['driver_id'] }],
  featureViews: [
    view('all_types', Object.keys(TYPES)),
    ...[
      'grouped',
      'tied',
      'alone',
      'served',
      'limited',
      'closed',
      'refused',
      'keyed',
      'expired',
      'raced',
      'both',
      'after',
      'named',
      'chunked',
      'found',
      'before',
    ].map((name) => view(name, ['n'])),
    view('timeless', ['n'], false),
    { ...view('offline_only', ['n']), online: false },
  ],
};
const T1 = '2026-03-01T00:00:00';
const T2 = '2026-03-02T00:00:00';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.t', { driver_id: 'long', event_ts: 'timestamptz', made: 'timestamptz', ...TYPES });
});

/** The project with its catalogs wrapped. */
function through(project: Project, wrap: (catalog: Catalog) => Catalog): Project {
  const catalog = async (name?: string) => wrap(await project.catalog(name));
  return Object.create(project, { catalog: { value: catalog } }) as Project;
}

/** @param wrap wraps the catalog of the service */
async function run(
  server: NonNullable<ConfigInput['server']>,
  wrap: (catalog: Catalog) => Catalog = (catalog) => catalog,
) {
  const { folder } = lab;
  const config = {
    catalogs: { main: { uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse') } },
    engine: { threads: 2 },
    online: { readTimeoutMs: 60_000 },
    server: { queueTimeoutMs: 60_000, port: 0, groupCommitMs: 100, ...server },
  };
  const moraine = await createMoraine({ config, cwd: folder, fileFolders: [folder] });
  await moraine.apply(DEFINITIONS);
  const project = through(moraine.project, wrap);
  const service = await startService({ project, version: '1', log: { write: () => undefined } });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (!isClosed) await service.close();
    if (!isClosed) await moraine.close();
    isClosed = true;
  };
  const post = async (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(`${service.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
  };
  const write = (name: string, df: object, headers?: Readonly<Record<string, string>>) =>
    post('/write-to-online-store', { feature_view_name: name, df }, headers);
  const read = async (name: string, keys: readonly number[], features: readonly string[] = ['n']) => {
    const question = { entities: { driver_id: keys }, features: features.map((feature) => `${name}:${feature}`) };
    const response = await fetch(`${service.url}/get-online-features`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
    });
    return await response.text();
  };
  const values = async (name: string, keys: readonly number[]) =>
    (JSON.parse(await read(name, keys)) as { results: { values: unknown[] }[] }).results[1]?.values;
  return { service, post, write, read, values, close };
}

/** A service that ends with the test. */
async function start(
  server: NonNullable<ConfigInput['server']> = {},
  wrap?: (catalog: Catalog) => Catalog,
): ReturnType<typeof run> {
  const running = await run(server, wrap);
  onTestFinished(running.close);
  return running;
}

/** One service for requests that change nothing. */
let running: ReturnType<typeof run> | undefined;
afterAll(async () => {
  await (await running)?.close();
  await lab.close();
});
function shared(): ReturnType<typeof run> {
  running ??= run({ groupCommitMs: 0 });
  return running;
}

interface Answer {
  readonly snapshot?: string | null;
  readonly rows?: number;
  readonly error?: string;
  readonly code?: string;
}

const one = (n: unknown, driver_id = 1, event_timestamp = T1) => ({
  driver_id: [driver_id],
  event_timestamp: [event_timestamp],
  n: [n],
});

const snapshotsOf = async (name: string) => (await lab.table(`moraine_online.${name}`)).metadata.snapshots.length;

describe('POST /write-to-online-store', () => {
  it('writes values of each type exactly', async () => {
    const { post, read } = await start();
    const texts = [
      '9007199254740993',
      '-7',
      '0.1',
      '1e300',
      '12345.6',
      'true',
      '"ä\\u0000\\""',
      '86400',
      '"10:00:00.5"',
      '-2',
      '"2026-03-01T10:00:00.125+02:00"',
      '"00000000-0000-0000-0000-000000000001"',
      '"AP8="',
      '[9007199254740993,null]',
    ];
    const columns = Object.keys(TYPES).map((name, index) => `"${name}":[${texts[index]},null]`);
    const df = `{"driver_id":[1,2],"event_timestamp":["${T1}","${T1}.000001"],"created":[null,"${T1}"],${columns.join(',')}}`;
    const { status, body, headers } = await post(
      '/write-to-online-store',
      `{"feature_view_name":"all_types","df":${df},"allow_registry_cache":false}`,
    );
    expect([status, body.rows]).toEqual([200, 2]);
    expect(headers.get('moraine-snapshots')).toMatch(
      new RegExp(`^all_types=${body.snapshot};sequence=1;table=[-0-9a-f]{36}$`),
    );
    const written = [
      '9007199254740993',
      '-7',
      '0.10000000149011612',
      '1e+300',
      '"12345.60"',
      'true',
      '"ä\\u0000\\""',
      '86400',
      '"10:00:00.500000"',
      '-2',
      '1772352000',
      '"00000000-0000-0000-0000-000000000001"',
      '"AP8="',
      '[9007199254740993,null]',
    ];
    const { results } = JSON.parse(await read('all_types', [1, 2], Object.keys(TYPES))) as {
      results: { statuses: string[]; event_timestamps: string[] }[];
    };
    expect(results[1]?.event_timestamps).toEqual([`${T1}Z`, `${T1}.000001Z`]);
    for (const { statuses } of results.slice(1)) expect(statuses).toEqual(['PRESENT', 'NULL_VALUE']);
    const text = await read('all_types', [1, 2], Object.keys(TYPES));
    for (const value of written) expect(text).toContain(`{"values":[${value},null]`);
  });

  it.each<[string, object, RegExp]>([
    ['a value of another type', one('x'), /^The body's df\.n\[0\] is "x", which is not of type long\.$/],
    ['a fraction for an integer', one(1.5), /df\.n\[0\] is 1\.5, which is not of type long/],
    ['a missing key', { event_timestamp: [T1], n: [1] }, /no column 'driver_id'/],
    ['a null key', one(1, null as never), /df\.driver_id\[0\] is null, but every row needs a value/],
    ['no time', { driver_id: [1], n: [1] }, /no column 'event_timestamp'/],
    ['a time that is none', one(1, 1, '2026-02-30T00:00:00'), /df\.event_timestamp\[0\] is "2026-02-30T00:00:00"/],
    ['a missing feature', { driver_id: [1], event_timestamp: [T1] }, /no column for the feature 'n'/],
    ['an unknown column', { ...one(1), nn: [1] }, /a column 'nn', .* Did you mean 'n'\?/],
    ['columns of different lengths', { ...one(1), n: [] }, /'driver_id' has 1 values, 'n' has 0/],
    ['two columns of one time', { ...one(1), event_ts: [T1] }, /two columns for event_timestamp/],
    ['a column that is no list', { ...one(1), n: 5 }, /df\.n must be array/],
  ])('refuses %s, and names the place', async (_, df, message) => {
    const { write } = await shared();
    const { status, body } = await write('refused', df);
    expect([status, body.code]).toEqual([400, 'INVALID_ARGUMENT']);
    expect(body.error).toMatch(message);
  });

  it('refuses unknown views, views that are not online, and integers that are too large', async () => {
    const { write, post } = await shared();
    expect(await write('refusd', one(1))).toMatchObject({ status: 404, body: { code: 'FEATURE_VIEW_NOT_FOUND' } });
    expect(await write('offline_only', one(1))).toMatchObject({ status: 400, body: { code: 'INVALID_ARGUMENT' } });
    const large = `{"driver_id":[1],"event_timestamp":["${T1}"],"n":[9223372036854775808]}`;
    expect(await post('/write-to-online-store', `{"feature_view_name":"refused","df":${large}}`)).toMatchObject({
      status: 400,
      body: { error: "The body's df.n[0] is 9223372036854775808, which is not of type long." },
    });
    const proto = `{"feature_view_name":"refused","df":{"__proto__":[1]}}`;
    expect((await post('/write-to-online-store', proto)).status).toBe(400);
  });

  it('takes bodies of more than the limit of reads, up to its own', async () => {
    const { post, write } = await shared();
    const text = 'x'.repeat(2 * 2 ** 20);
    expect((await write('refused', { ...one(1), text: [text] })).status).toBe(400);
    expect(await post('/write-to-online-store', 'x'.repeat(64 * 2 ** 20 + 1))).toMatchObject({
      status: 413,
      body: { error: 'The body of the request is too large: it may have 64 MiB.' },
    });
  });

  it('answers an empty frame without a commit', async () => {
    const { write } = await shared();
    const empty = { driver_id: [], event_timestamp: [], n: [] };
    expect(await write('refused', empty)).toMatchObject({ status: 200, body: { snapshot: null, rows: 0 } });
    expect(await write('refused', {})).toMatchObject({ status: 200, body: { snapshot: null, rows: 0 } });
  });
});

describe('a group of writes', () => {
  it('is one commit, in which a wrong batch fails alone', async () => {
    const { write, values, service } = await start({ groupCommitMs: 500 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => write('grouped', one(index === 7 ? 'x' : index, index))),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, (_, i) => (i === 7 ? 400 : 200)));
    const ids = new Set(answers.flatMap(({ body }) => body.snapshot ?? []));
    expect(ids.size).toBe(1);
    expect(await snapshotsOf('grouped')).toBe(1);
    const { metadata } = await lab.table('moraine_online.grouped');
    expect(findSnapshot(metadata, BigInt([...ids][0] ?? 0))?.summary.get('added-records')).toBe('19');
    const keys = Array.from({ length: 20 }, (_, index) => index);
    expect(await values('grouped', keys)).toEqual(keys.map((n) => (n === 7 ? null : n)));
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('moraine_write_group_requests_sum{outcome="committed"} 20');
    expect(metrics).toContain('moraine_write_group_requests_count{outcome="committed"} 1');
    expect(metrics).toContain('moraine_write_queue_requests 0');
  });

  it('lets the last of rows that tie win, as if each batch had a commit of its own', async () => {
    const { write, values } = await start();
    // By value the larger would win; in this order neither the first nor the largest does.
    for (const name of ['tied', 'timeless']) {
      const sent: Promise<unknown>[] = [];
      for (const n of [5, 9, 2]) {
        sent.push(write(name, { ...one(n), created: [T2] }));
        // The next request is sent when this one has arrived.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await Promise.all(sent);
      expect(await snapshotsOf(name)).toBe(1);
      expect(await values(name, [1])).toEqual([2]);
    }
    // An older row, and a row that was created earlier, lose whatever their place.
    await Promise.all([
      write('tied', { ...one(7, 2, T2), created: [T1] }),
      write('tied', { ...one(8, 2, T1), created: [T2] }),
    ]);
    expect(await values('tied', [2])).toEqual([7]);
  });

  it('is served at once by the process that has acknowledged it', async () => {
    const { write, values } = await start({ maxStalenessMs: 86_400_000, groupCommitMs: 0 });
    for (let n = 0; n < 12; n += 1) {
      expect((await write('served', one(n, n % 3, `2026-03-01T00:00:${String(n).padStart(2, '0')}`))).status).toBe(200);
      expect(await values('served', [n % 3])).toEqual([n]);
    }
  });

  it('is finished when the service closes', async () => {
    const { write, close, service } = await start({ groupCommitMs: 1500 });
    const sent = [1, 2, 3].map((n) => write('closed', one(n, n)));
    const metrics = async () => await (await fetch(`${service.url}/metrics`)).text();
    while (!(await metrics()).includes('moraine_write_queue_requests 3'))
      await new Promise((resolve) => setTimeout(resolve, 20));
    await close();
    expect((await Promise.all(sent)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await lab.table('moraine_online.closed')).metadata.snapshots).toHaveLength(1);
  });

  it('is counted by the bytes that were read, where its head does not name them', async () => {
    const { service, write } = await start({ groupCommitMs: 4_000, maxQueuedBytes: '1KiB' });
    const metrics = async () => await (await fetch(`${service.url}/metrics`)).text();
    const held = async () => /^moraine_write_queue_bytes (\d+)$/m.exec(await metrics())?.[1];
    const body = (n: number) => JSON.stringify({ feature_view_name: 'chunked', df: one(n, n) }).padEnd(800);
    // fetch sends a stream in chunks, without a content-length.
    const chunked = (n: number) =>
      fetch(`${service.url}/write-to-online-store`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: new Blob([body(n)]).stream(),
        duplex: 'half',
      });
    const first = chunked(1);
    await expect.poll(held, { timeout: 30_000 }).toBe('800');
    expect((await chunked(2)).status).toBe(429);
    expect((await write('chunked', one(3, 3))).status).toBe(200);
    expect((await first).status).toBe(200);
    expect(await held()).toBe('0');
  });

  it('is bounded: more than may wait is refused with Retry-After', async () => {
    const { write } = await start({ groupCommitMs: 300, maxQueuedWrites: 2 });
    const answers = await Promise.all([1, 2, 3, 4].map((n) => write('limited', one(n, n))));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 429, 429]);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers.get('retry-after')).toBe('1');
    expect(refused?.body.error).toMatch(
      /^2 writes with \d+ bytes arrive or wait to be committed; 2 writes and 268435456 bytes may/,
    );
  });

  it('needs a key with the scope write where keys are on', async () => {
    const keys = join(lab.folder, 'write-keys.json');
    const [reader, writer] = [await createApiKey(keys, 'r', ['read']), await createApiKey(keys, 'w', ['write'])];
    const { write } = await start({ keys });
    const as = (key: string) => ({ authorization: `Bearer ${key}` });
    expect((await write('refused', {})).status).toBe(401);
    expect((await write('refused', {}, as(reader))).status).toBe(403);
    expect((await write('refused', {}, as(writer))).status).toBe(200);
  });
});

describe('the snapshot that a write names', () => {
  it('is met by a service that has just started, once it has expired', async () => {
    const first = await start({ groupCommitMs: 0 });
    const wanted = (await first.write('named', one(1))).headers.get('moraine-snapshots') ?? '';
    const later = [];
    for (const n of [2, 3, 4]) later.push((await first.write('named', one(n, 1, T2))).body.snapshot);
    const table = await lab.table('moraine_online.named');
    const expired = table.metadata.snapshots.slice(0, 3).map(({ snapshotId }) => snapshotId);
    await commitUpdates(table, ({ snapshots }) =>
      snapshots.length === 1 ? null : [{ action: 'remove-snapshots', snapshotIds: expired }],
    );
    await first.close();
    const restarted = await start();
    const question = { entities: { driver_id: [1] }, features: ['named:n'] };
    const ask = async (snapshot: string) => {
      const { status, headers } = await restarted.post('/get-online-features', question, {
        'Moraine-Min-Snapshot': snapshot,
      });
      return [status, headers.get('moraine-snapshots')?.split(';')[0]];
    };
    expect(await ask(wanted)).toEqual([200, `named=${later[2]}`]);
    expect(await ask(wanted.replace('sequence=1', 'sequence=5'))).toEqual([404, undefined]);
  });
});

describe('an idempotency key', () => {
  const keyed = (key: string) => ({ 'Idempotency-Key': key });
  const rowsOf = async (name: string) =>
    (await lab.table(`moraine_online.${name}`)).metadata.snapshots.map(({ summary }) => summary.get('added-records'));

  it('makes a repeated write be done once and answered alike, also after a restart, in a group, and by others', async () => {
    const { write, close } = await start();
    const first = await write('keyed', one(1), keyed('a'));
    expect(first).toMatchObject({ status: 200, body: { rows: 1 } });
    const again = await write('keyed', one(1), keyed('a'));
    expect([again.status, again.body]).toEqual([200, first.body]);
    expect(again.headers.get('moraine-snapshots')).toBe(first.headers.get('moraine-snapshots'));
    // Within one group: the same one three times, another body under its key, and a batch that is wrong.
    const group = await Promise.all([
      ...[0, 1, 2].map(() => write('keyed', one(2, 2), keyed('b'))),
      write('keyed', one(1), keyed('a')),
      write('keyed', one('x'), keyed('c')),
    ]);
    expect(group.map(({ status }) => status)).toEqual([200, 200, 200, 200, 400]);
    expect(new Set(group.slice(0, 3).map(({ body }) => body.snapshot)).size).toBe(1);
    expect(group[3]?.body).toEqual(first.body);
    await close();
    const restarted = await start();
    expect((await restarted.write('keyed', one(1), keyed('a'))).body).toEqual(first.body);
    expect(await restarted.write('keyed', one(9), keyed('a'))).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
    // A key of a batch that failed is free.
    expect((await restarted.write('keyed', one(3, 3), keyed('c'))).status).toBe(200);
    expect(await rowsOf('keyed')).toEqual(['1', '1', '1']);
    expect((await restarted.write('keyed', one(1), keyed('ä'))).status).toBe(400);
  });

  it('is one of its API key', async () => {
    const keys = join(lab.folder, 'idempotency-keys.json');
    const users = [await createApiKey(keys, 'a', ['write']), await createApiKey(keys, 'b', ['write'])];
    const { write } = await start({ keys });
    const answers = [];
    for (const user of users)
      answers.push(await write('alone', one(1), { ...keyed('k'), authorization: `Bearer ${user}` }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await rowsOf('alone')).toEqual(['1', '1']);
  });

  it('holds when the snapshot of its commit has expired', async () => {
    const { write } = await start({ groupCommitMs: 0 });
    const first = await write('expired', one(1), keyed('a'));
    for (const n of [2, 3]) await write('expired', one(n, n));
    const table = await lab.table('moraine_online.expired');
    const snapshotId = BigInt(first.body.snapshot ?? 0);
    await commitUpdates(table, (base) =>
      findSnapshot(base, snapshotId) === undefined ? null : [{ action: 'remove-snapshots', snapshotIds: [snapshotId] }],
    );
    const again = await write('expired', one(1), keyed('a'));
    expect(again.body).toEqual(first.body);
    expect(await rowsOf('expired')).toEqual(['1', '1']);
    // Reads that ask for the rows name a snapshot that is still there.
    const { currentSnapshotId } = (await lab.table('moraine_online.expired')).metadata;
    expect(again.headers.get('moraine-snapshots')).toMatch(new RegExp(`^expired=${currentSnapshotId};sequence=3;`));
  });

  it('is held by one commit, whichever of two processes is first', async () => {
    const [a, b] = [await start({ groupCommitMs: 0 }), await start({ groupCommitMs: 0 })];
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(
        [a, b, a, b].map(({ write }) => write('raced', one(round, round), keyed(`round ${round}`))),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(new Set(answers.map(({ body }) => body.snapshot)).size).toBe(1);
    }
    expect(await rowsOf('raced')).toEqual(['1', '1', '1', '1', '1']);
  });

  it('is served at once by a process that finds the commit of another', async () => {
    const state = { isAway: false };
    const held = (catalog: Catalog): Catalog => {
      // Looks between requests do not help.
      const loadTable: Catalog['loadTable'] = async (identifier) => {
        if (state.isAway) throw new MoraineError('CATALOG_UNAVAILABLE', 'The catalog does not answer.');
        return await catalog.loadTable(identifier);
      };
      return replacing(catalog, () => ({ loadTable }));
    };
    const [a, b] = [await start({ groupCommitMs: 0 }), await start({ groupCommitMs: 0 }, held)];
    await a.write('found', one(1), keyed('first'));
    expect(await b.values('found', [1])).toEqual([1]);
    for (const n of [2, 3, 4]) {
      await a.write('found', one(n, 1, T2), keyed(`${n}`));
      expect(await b.write('found', one(n, 1, T2), keyed(`${n}`))).toMatchObject({ status: 200 });
      state.isAway = true;
      expect(await b.values('found', [1])).toEqual([n]);
      state.isAway = false;
    }
  });

  it.each(['after', 'before'] as const)(
    'settles a write of unknown outcome when it is repeated: the connection broke %s the commit',
    async (moment) => {
      const state = { isLossy: false, commits: 0 };
      const { write, values } = await start({ groupCommitMs: 0 }, (catalog) => {
        const lossy: Partial<Catalog> = {
          commitTable: async (identifier, request) => {
            state.commits += 1;
            if (moment === 'after') await catalog.commitTable(identifier, request);
            throw new MoraineError('COMMIT_STATE_UNKNOWN', 'The connection was closed.');
          },
          loadTable: (identifier) =>
            state.commits === 0
              ? catalog.loadTable(identifier)
              : Promise.reject(new MoraineError('CATALOG_UNAVAILABLE', 'The catalog does not answer.')),
        };
        return replacing(catalog, () => (state.isLossy ? lossy : {}));
      });
      await write(moment, one(1, 1));
      // The commit is looked for once, without a wait.
      const updates = new Map([['commit.status-check.num-retries', '1']]);
      await lab.catalog.commitTable(
        { namespace: ['moraine_online'], name: moment },
        { requirements: [], updates: [{ action: 'set-properties', updates }] },
      );
      state.isLossy = true;
      const unknown = await write(moment, one(2, 2), keyed('k'));
      expect(unknown).toMatchObject({ status: 503, body: { code: 'COMMIT_STATE_UNKNOWN' } });
      expect(unknown.headers.get('retry-after')).toBe('1');
      expect(state.commits).toBe(1);
      expect(await rowsOf(moment)).toEqual(moment === 'after' ? ['1', '1'] : ['1']);

      state.isLossy = false;
      const again = await write(moment, one(2, 2), keyed('k'));
      const { metadata } = await lab.table(`moraine_online.${moment}`);
      expect([again.status, again.body]).toEqual([
        200,
        { feature_view_name: moment, snapshot: String(metadata.currentSnapshotId), rows: 1 },
      ]);
      expect(await rowsOf(moment)).toEqual(['1', '1']);
      expect(await values(moment, [1, 2])).toEqual([1, 2]);
      expect((await write(moment, one(3, 2), keyed('k'))).status).toBe(422);
    },
  );
});

describe('two services on the same tables', () => {
  it('serve their own writes at once, and those of the other after its next looks at the catalog; none is lost', async () => {
    /** Looks of each service at the table. */
    const looks = [0, 0];
    const services = [];
    for (const place of [0, 1]) {
      const counting = (catalog: Catalog): Catalog =>
        replacing(catalog, () => ({
          loadTable: (identifier) => {
            if (identifier.name === 'both') looks[place] = (looks[place] ?? 0) + 1;
            return catalog.loadTable(identifier);
          },
        }));
      const { write, values } = await start({ groupCommitMs: 0 }, counting);
      services.push({ write, values, looks: () => looks[place] ?? 0 });
    }
    const [first, second] = services;
    if (first === undefined || second === undefined) expect.unreachable();
    expect((await first.write('both', one(0))).status).toBe(200);
    for (const { values } of services) expect(await values('both', [1])).toEqual([0]);
    for (let n = 1; n <= 6; n += 1) {
      const [writer, other] = n % 2 === 0 ? [first, second] : [second, first];
      expect((await writer.write('both', one(n, 1, `2026-03-01T00:00:0${n}`))).status).toBe(200);
      const before = other.looks();
      expect(await writer.values('both', [1])).toEqual([n]);
      // The first look that begins from now on finds the commit. Its rows are served before the third look begins, a second later (`Refresher` has its own test).
      for (;;) {
        const begun = other.looks() - before;
        const [value] = (await other.values('both', [1])) ?? [];
        if (value === n) break;
        expect([value, begun <= 2]).toEqual([n - 1, true]);
      }
    }

    const keys = Array.from({ length: 20 }, (_, index) => 100 + index);
    const answers = await Promise.all(keys.map((key) => (key % 2 === 0 ? first : second).write('both', one(key, key))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    for (const { values } of services) await expect.poll(() => values('both', keys), { timeout: 20_000 }).toEqual(keys);
  });
});
