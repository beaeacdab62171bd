/** `POST /get-historical-features`: the library's answers over HTTP, from a process of its own. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { json as jsonOf } from 'node:stream/consumers';
import { type Table as ArrowTable, tableFromArrays, tableFromIPC, tableToIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { HistoricalFeaturesRequest } from '../../client/index.js';
import { sqlType } from '../../engine/index.js';
import { type IcebergType, parseType, type Schema } from '../../iceberg/index.js';
import { OfflineProcesses, type OfflineTurn } from '../../service/offline-processes.js';
import { FeatureLab } from '../support/feature-lab.js';
import { type LabService, startLabService } from '../support/lab-service.js';
import { stopOfflineChild } from '../support/stopped-process.js';

const ARROW = 'application/vnd.apache.arrow.stream';
const PARQUET = 'application/vnd.apache.parquet';

/** A column of each type, and its values in two rows of a driver. */
const TYPES: Readonly<Record<string, readonly [type: string, first: string, second: string]>> = {
  flag: ['boolean', 'true', 'NULL'],
  small: ['int', '-7', '2147483647'],
  large: ['long', '9007199254740993', '-9223372036854775808'],
  single: ['float', '0.1', "'NaN'"],
  wide: ['double', '1e300', "'-Infinity'"],
  price: ['decimal(20,3)', '12345678901234567.125', '-0.001'],
  day: ['date', "'2026-02-28'", "'1969-12-31'"],
  clock: ['time', "'23:59:59.999999'", "'00:00:00'"],
  zoneless: ['timestamp', "'1969-12-31 23:59:58.5'", 'NULL'],
  moment: ['timestamptz', "'2001-02-03 04:05:06.789012+05:45'", "'1970-01-01 00:00:00+00'"],
  fine: ['timestamptz_ns', "'2001-02-03 04:05:06.123456789'", 'NULL'],
  text: ['string', `'Brötchen "1"\\'`, "''"],
  id: ['uuid', "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", 'NULL'],
  bytes: ['binary', `'\\x00\\xFF'::BLOB`, `''::BLOB`],
  ints: ['list<int>', '[1, NULL, -3]', '[]'],
  scores: ['map<string, double>', "MAP {'a': 0.5}", 'MAP {}'],
  place: ['struct<lat: double, name: string>', "{'lat': 1.5, 'name': 'x'}", 'NULL'],
};

const typeNames = Object.fromEntries(Object.entries(TYPES).map(([name, [type]]) => [name, type]));
const DOUBLE: IcebergType = { kind: 'double' };
const STRING: IcebergType = { kind: 'string' };
const NESTED: Readonly<Record<string, IcebergType>> = {
  ints: { kind: 'list', elementId: 101, elementRequired: false, element: { kind: 'int' } },
  scores: { kind: 'map', keyId: 102, key: STRING, valueId: 103, valueRequired: false, value: DOUBLE },
  place: {
    kind: 'struct',
    fields: [
      { id: 104, name: 'lat', required: false, type: DOUBLE },
      { id: 105, name: 'name', required: false, type: STRING },
    ],
  },
};

let lab: FeatureLab;
let service: LabService;
beforeAll(async () => {
  lab = await FeatureLab.open();
  const fields = Object.entries({ driver: 'long', event_ts: 'timestamptz', ...typeNames }).map(
    ([name, type], index) => {
      return { id: index + 1, name, required: false, type: NESTED[name] ?? parseType(type) };
    },
  );
  const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields };
  await lab.catalog.createTable({ namespace: ['demo'], name: 't' }, { schema, formatVersion: 3 });
  for (const [index, hour] of [
    [1, 10],
    [2, 12],
  ] as const) {
    const values = Object.entries(TYPES).map(
      ([name, [type, ...sql]]) => `CAST(${sql[index - 1]} AS ${sqlType(NESTED[name] ?? parseType(type))}) AS ${name}`,
    );
    const select = `SELECT 9007199254740993::BIGINT AS driver, '2026-03-01T${hour}:00:00Z'::TIMESTAMPTZ AS event_ts, ${values.join(', ')}`;
    await lab.append('demo.t', select);
  }
  service = await startLabService(lab, { maxRetrievals: 1, requestTimeoutMs: 500, shutdownTimeoutMs: 500 });
  await service.moraine.apply({
    entities: [{ name: 'driver', joinKeys: ['driver'] }],
    featureViews: [{ name: 'all', entities: ['driver'], source: { table: 'demo.t', timestampField: 'event_ts' } }],
    featureServices: [{ name: 'some', features: [{ view: 'all', features: ['large'] }] }],
  });
});
afterAll(async () => {
  await service.close();
  await lab.close();
});

const DRIVER = 9_007_199_254_740_993n;
/** In no order, with a repeated row, one before all features and one of an unknown driver. */
const ROWS = [
  { driver: DRIVER, event_timestamp: '2026-03-01T12:00:00Z', note: 'c' },
  { driver: DRIVER, event_timestamp: '2026-03-01T11:59:59.999999Z', note: 'a' },
  { driver: 5n, event_timestamp: '2026-03-01T12:00:00Z', note: 'x' },
  { driver: DRIVER, event_timestamp: '2026-03-01T09:00:00+00:00', note: 'b' },
  { driver: DRIVER, event_timestamp: '2026-03-01T12:00:00Z', note: 'c' },
];
const QUESTION = { features: ['all'], fullFeatureNames: true } as const;

function ask(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>>,
  query = '',
  signal: AbortSignal | null = null,
): Promise<Response> {
  return fetch(`${service.service.url}/get-historical-features${query}`, {
    method: 'POST',
    headers,
    body,
    signal,
  });
}
const json = (entities: unknown, more: object = { features: ['all'], full_feature_names: true }): string =>
  JSON.stringify({ entities, ...more }, (_, value: unknown) =>
    value === DRIVER || value === 5n ? `#${value}#` : value,
  )
    .replaceAll('"#', '')
    .replaceAll('#"', '');
const askJson = (body: string, accept = ARROW, signal: AbortSignal | null = null): Promise<Response> =>
  ask(body, { 'content-type': 'application/json', accept }, '', signal);

async function expected(request: HistoricalFeaturesRequest): Promise<ArrowTable> {
  return (await service.moraine.getHistoricalFeatures(request)).table;
}
const arrowOf = async (answer: Response): Promise<ArrowTable> =>
  tableFromIPC(new Uint8Array(await answer.arrayBuffer()));

/** Everything that a table has: names, types, nulls, values. */
const contentOf = (table: ArrowTable): unknown => ({
  fields: table.schema.fields.map(String),
  rows: table.toArray().map((row) => String(row)),
});
const noFolders = (): readonly string[] =>
  readdirSync(service.moraine.project.config.engine.tempDirectory).filter((name) => name.startsWith('retrieval'));

describe('historical features over HTTP', () => {
  it('are those of the library for every type, in the order of the entity rows', async () => {
    const table = await expected({ ...QUESTION, entities: ROWS });
    expect(table.getChild('note')?.toArray()).toEqual(['c', 'a', 'x', 'b', 'c']);
    expect([...(table.getChild('all__large') ?? [])]).toEqual([-(2n ** 63n), DRIVER, null, null, -(2n ** 63n)]);
    const answer = await askJson(json(ROWS));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, ARROW]);
    expect(answer.headers.get('moraine-rows')).toBe('5');
    const snapshot = (await lab.table('demo.t')).metadata.currentSnapshotId;
    expect(answer.headers.get('moraine-snapshots')).toBe(`demo.t=${snapshot}`);
    expect(contentOf(await arrowOf(answer))).toEqual(contentOf(table));
    const file = join(lab.folder, 'exact.json');
    const reader = await service.moraine.openHistoricalFeatures({ ...QUESTION, entities: ROWS });
    await reader.write(file);
    await reader.close();
    expect(await (await askJson(json(ROWS), 'application/json')).text()).toBe(readFileSync(file, 'utf8'));
    const columns = Object.fromEntries(
      ['driver', 'event_timestamp', 'note'].map((name) => [name, ROWS.map((row) => Reflect.get(row, name) as unknown)]),
    );
    expect(contentOf(await arrowOf(await askJson(json(columns))))).toEqual(contentOf(table));
    await expect.poll(noFolders).toEqual([]);
  });

  it('are of tables with any names, which the header has percent-encoded', async () => {
    const name = 'demo."größe, 東京=1"';
    await lab.createTable(name, { driver: 'long', event_ts: 'timestamptz', large: 'long' });
    await lab.append(
      name,
      `SELECT ${DRIVER}::BIGINT AS driver, '2026-03-01'::TIMESTAMPTZ AS event_ts, 7::BIGINT AS large`,
    );
    await service.moraine.apply({
      entities: [],
      featureViews: [{ name: 'sizes', entities: ['driver'], source: { table: name, timestampField: 'event_ts' } }],
    });
    const answer = await askJson(
      json(ROWS.slice(0, 1), { features: ['sizes:large', 'all:small'] }),
      'application/json',
    );
    expect(await answer.text()).toContain('"large":7,"small":2147483647}');
    const [own, other] = [(await lab.table(name)).metadata, (await lab.table('demo.t')).metadata];
    const header = answer.headers.get('moraine-snapshots') ?? '';
    // By Python's `urllib.parse.quote(name)`.
    const encoded = 'demo.%22gr%C3%B6%C3%9Fe%2C%20%E6%9D%B1%E4%BA%AC%3D1%22';
    expect(header.split(', ').toSorted()).toEqual([
      `${encoded}=${own.currentSnapshotId}`,
      `demo.t=${other.currentSnapshotId}`,
    ]);
  });

  it('are of keys with all their digits: fractions near a key are refused, as by an online read', async () => {
    const time = '"event_timestamp":"2026-03-01T12:00:00Z"';
    for (const key of ['5.00000000000000001', '9007199254740990.5']) {
      const refused = await askJson(`{"features":["all:large"],"entities":[{"driver":${key},${time}}]}`);
      expect([refused.status, ((await refused.json()) as { code?: string }).code]).toEqual([400, 'TYPE_MISMATCH']);
    }
  });

  it('take __proto__ for a name like any other', async () => {
    const row = '"driver":5,"event_timestamp":"2026-03-01T12:00:00Z"';
    const ask = async (entities: string, more = '') => {
      const answer = await askJson(`{"features":["all:small"],"entities":${entities}${more}}`, 'application/json');
      return [answer.status, await answer.text()];
    };
    const kept = '[{"driver":5,"event_timestamp":"2026-03-01T12:00:00.000000Z","__proto__":1,"small":null}]\n';
    expect(await ask(`[{${row},"__proto__":1}]`)).toEqual([200, kept]);
    expect(await ask('{"driver":[5],"event_timestamp":["2026-03-01T12:00:00Z"],"__proto__":[1]}')).toEqual([200, kept]);
    expect(await ask(`[{"__proto__":{${row}}}]`)).toEqual([400, expect.stringContaining("'__proto__' of row 0")]);
    expect(await ask(`[{${row}}]`, ',"__proto__":{"full_feature_names":true}')).toEqual([
      400,
      expect.stringContaining("unknown field '__proto__'"),
    ]);
  });

  it('are read from Arrow and Parquet bodies, and answered in either, or in JSON', async () => {
    const reader = await service.moraine.openHistoricalFeatures({ features: ['all:large'], entities: ROWS });
    const [frame, parquet] = [join(lab.folder, 'frame.arrow'), join(lab.folder, 'answer.parquet')];
    await reader.write(frame);
    await reader.write(parquet);
    const rows = await reader.toRows();
    await reader.close();
    const entities = (await arrowOf(new Response(readFileSync(frame)))).select(['driver', 'event_timestamp', 'note']);
    const body = tableToIPC(entities, 'stream');
    const query = '?features=all:large';
    const arrow = await ask(body, { 'content-type': ARROW }, query);
    expect(arrow.headers.get('content-type')).toBe(ARROW);
    const { table } = await service.moraine.getHistoricalFeatures({ features: ['all:large'], entities: body });
    expect(contentOf(await arrowOf(arrow))).toEqual(contentOf(table));

    const byTrino = await ask(body, { 'content-type': ARROW }, `${query}&engine=trino`);
    expect([byTrino.status, await byTrino.text()]).toEqual([400, expect.stringContaining('the run asks for trino')]);
    const byDuckDb = await ask(body, { 'content-type': ARROW }, `${query}&engine=duckdb`);
    expect(contentOf(await arrowOf(byDuckDb))).toEqual(contentOf(table));

    const asJson = await ask(
      body,
      { 'content-type': ARROW, accept: 'text/html;q=0.1, application/json' },
      '?feature_service=some',
    );
    expect(asJson.headers.get('content-type')).toMatch(/^application\/json/);
    const text = await asJson.text();
    expect(text).toContain('"large":-9223372036854775808');
    expect((JSON.parse(text) as readonly object[]).map((row) => Object.keys(row))[0]).toEqual(
      Object.keys(rows[0] ?? {}),
    );

    const stored = await ask(body, { 'content-type': ARROW, accept: PARQUET }, query);
    const file = join(lab.folder, 'stored.parquet');
    await writeFile(file, new Uint8Array(await stored.arrayBuffer()));
    // The answer's own feature is a further column of the entity rows then.
    const again = await ask(
      new Uint8Array(readFileSync(file)),
      { 'content-type': PARQUET, accept: ARROW },
      '?features=all:small',
    );
    const small = await expected({ features: ['all:small'], entities: { file } });
    expect(small.getChild('large')?.toArray()).toEqual(table.getChild('large')?.toArray());
    expect(contentOf(await arrowOf(again))).toEqual(contentOf(small));
  });

  it('are those of an earlier state with as_of', async () => {
    const [first] = (await lab.table('demo.t')).metadata.snapshots;
    const asOf = { snapshots: { 'demo.t': String(first?.snapshotId) } };
    const body = json(ROWS.slice(0, 1), { features: ['all:large'], as_of: asOf });
    const digits = `"${first?.snapshotId}"`;
    // Python's programs send an id as a text or as the integer that it is.
    for (const id of [digits, digits.slice(1, -1)]) {
      const answer = await askJson(body.replace(digits, id), 'application/json');
      expect(await answer.text()).toContain('"large":9007199254740993}');
    }
    for (const id of ['null', '[1]', '{}', 'true', '1.5', '"1.5"', '10000000000000000000']) {
      const answer = await askJson(body.replace(digits, id), 'application/json');
      expect([id, answer.status]).toEqual([id, 400]);
    }
    const before = await askJson(json(ROWS, { features: ['all:large'], as_of: '2001-01-01' }), 'application/json');
    expect([before.status, await before.text()]).toEqual([404, expect.stringContaining('SNAPSHOT_NOT_FOUND')]);
  });

  it('of Arrow and Parquet bodies have as_of and full_feature_names in the query, as JSON bodies have them', async () => {
    const [first, last] = (await lab.table('demo.t')).metadata.snapshots;
    const firstAt = new Date(Number(first?.timestampMs)).toISOString();
    expect(first?.timestampMs).toBeLessThan(last?.timestampMs ?? 0);
    const reader = await service.moraine.openHistoricalFeatures({ features: ['all:large'], entities: ROWS });
    const [frame, parquet] = [join(lab.folder, 'queried.arrow'), join(lab.folder, 'queried.parquet')];
    await reader.write(frame);
    const entities = (await arrowOf(new Response(readFileSync(frame)))).select(['driver', 'event_timestamp', 'note']);
    await reader.close();
    const plain = await service.moraine.openHistoricalFeatures({
      features: ['all:small'],
      entities: tableToIPC(entities),
    });
    await plain.write(parquet);
    await plain.close();
    const bodies = { [ARROW]: tableToIPC(entities, 'stream'), [PARQUET]: new Uint8Array(readFileSync(parquet)) };
    const answerTo = async (type: string, body: string | Uint8Array, query = '') => {
      const answer = await ask(body, { 'content-type': type, accept: 'application/json' }, query);
      return [answer.status, await answer.text()] as const;
    };
    const values = (text: string, name: string) =>
      [...text.matchAll(new RegExp(`"${name}":([^,}]+)`, 'g'))].map(([, value]) => value);
    const snapshots = { snapshots: { 'demo.t': String(first?.snapshotId) } };
    const numbered = `{"snapshots": {"demo.t": ${first?.snapshotId}}}`;
    const old = ['9007199254740993', '9007199254740993', 'null', 'null', '9007199254740993'];
    const latest = ['-9223372036854775808', '9007199254740993', 'null', 'null', '-9223372036854775808'];
    for (const [query, more, name, expectedValues] of [
      [`as_of=${firstAt}`, { as_of: firstAt }, 'large', old],
      [`as_of=${encodeURIComponent(JSON.stringify(snapshots))}`, { as_of: snapshots }, 'large', old],
      [`as_of=%20${encodeURIComponent(numbered)}&full_feature_names=false`, { as_of: snapshots }, 'large', old],
      [`as_of=${firstAt}&full_feature_names=True`, { as_of: firstAt, full_feature_names: true }, 'all__large', old],
      ['full_feature_names=true', { full_feature_names: true }, 'all__large', latest],
    ] as const) {
      const byJson = await answerTo('application/json', json(ROWS, { features: ['all:large'], ...more }));
      expect([byJson[0], values(byJson[1], name)]).toEqual([200, expectedValues]);
      expect(await answerTo(ARROW, bodies[ARROW], `?features=all:large&${query}`)).toEqual(byJson);
      // A Parquet file has the feature of the answer that it was; it is a further column.
      const byParquet = await answerTo(PARQUET, bodies[PARQUET], `?features=all:large&${query}`);
      expect([byParquet[0], values(byParquet[1], name)]).toEqual([200, expectedValues]);
    }
    for (const asOf of [
      '{"snapshots":{"demo.t":1.5}}',
      '{"snapshot":{"demo.t":1}}',
      '{"snapshots":',
      'yesterday',
      '',
    ]) {
      const query = `?features=all:large&as_of=${encodeURIComponent(asOf)}`;
      expect([asOf, (await answerTo(ARROW, bodies[ARROW], query))[0]]).toEqual([asOf, 400]);
    }
  });

  it.each([
    ['an unknown view', json(ROWS, { features: ['some'] }), 404, 'FEATURE_VIEW_NOT_FOUND'],
    ['no features', json(ROWS, {}), 400, "none of 'features' and 'feature_service'"],
    ['no entities', '{}', 400, "The body has no 'entities'"],
    ['a missing key', json([{ event_timestamp: '2026-03-01T00:00:00Z' }]), 404, "'driver'"],
    [
      'columns of two lengths',
      json({ driver: [1], event_timestamp: [] }),
      400,
      "'driver' has 1 values, 'event_timestamp' has 0",
    ],
    [
      'an engine that there is not',
      json(ROWS, { features: ['all'], engine: 'spark' }),
      400,
      "The body's engine must be one of",
    ],
    ['Trino where there is none', json(ROWS, { features: ['all'], engine: 'trino' }), 400, 'the run asks for trino'],
    ['a list as a value', json([{ driver: [1], event_timestamp: '2026-03-01' }]), 400, "'driver' of row 0"],
  ])('refuse %s', async (_, body, status, text) => {
    const answer = await askJson(body);
    expect(await answer.text()).toContain(text);
    expect(answer.status).toBe(status);
  });

  it('refuse media types, damaged and empty bodies, and bodies that do not arrive', async () => {
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const codeOf = async (answer: Response): Promise<readonly unknown[]> => [
      answer.status,
      ((await answer.json()) as { readonly code: string }).code,
    ];
    expect(await codeOf(await askJson(json(ROWS), 'text/csv'))).toEqual([406, 'NOT_ACCEPTABLE']);
    expect(await codeOf(await ask('x', { 'content-type': 'text/csv' }))).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED']);
    const arrow = { 'content-type': ARROW };
    expect(await codeOf(await ask('nonsense', arrow, '?features=all'))).toEqual([400, 'INPUT_UNREADABLE']);
    expect(await codeOf(await ask('', arrow, '?features=all'))).toEqual([400, 'INVALID_ARGUMENT']);
    const parquet = await ask('PAR1nonsensePAR1', { 'content-type': PARQUET }, '?features=all');
    expect(await codeOf(parquet)).toEqual([400, 'INPUT_UNREADABLE']);
    const late = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
    const init = { method: 'POST', headers: arrow, body: late, duplex: 'half', signal: stop.signal } as RequestInit;
    expect(await codeOf(await fetch(`${service.service.url}/get-historical-features?features=all`, init))).toEqual([
      408,
      'REQUEST_TIMED_OUT',
    ]);
    await expect.poll(noFolders).toEqual([]);
  });

  it('refuse bodies that are too large by their length, before they arrive', async () => {
    /** What is answered when the headers are there, and nothing of the body. */
    const answerTo = async (type: string, bytes: number): Promise<readonly unknown[]> => {
      const request = httpRequest(`${service.service.url}/get-historical-features?features=all`, {
        method: 'POST',
        headers: { 'content-type': type, 'content-length': bytes },
      });
      onTestFinished(() => void request.on('error', () => undefined).destroy());
      request.flushHeaders();
      const [answer] = (await once(request, 'response')) as [IncomingMessage];
      const { error, code } = (await jsonOf(answer)) as { readonly error: string; readonly code: string };
      return [answer.statusCode, code, error];
    };
    const tooLarge = (size: string) => [
      413,
      'LIMIT_EXCEEDED',
      `The body of the request is too large: it may have ${size}.`,
    ];
    for (const type of [ARROW, PARQUET]) {
      expect(await answerTo(type, 2 ** 30 + 1)).toEqual(tooLarge('1024 MiB'));
      // One of exactly 1 GiB is waited for.
      expect((await answerTo(type, 2 ** 30))[0]).toBe(408);
    }
    expect(await answerTo('application/json', 2 ** 20 + 1)).toEqual(tooLarge('1 MiB'));
    await expect.poll(noFolders).toEqual([]);
  });

  it('are refused beyond the limit; a client that goes away while it sends leaves nothing behind', async () => {
    const leaving = new AbortController();
    const slow = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        controller.enqueue(new Uint8Array(2 ** 17));
      },
    });
    const init = {
      method: 'POST',
      headers: { 'content-type': ARROW },
      body: slow,
      duplex: 'half',
      signal: leaving.signal,
    };
    const first = fetch(`${service.service.url}/get-historical-features?features=all`, init as RequestInit);
    await expect.poll(noFolders).not.toEqual([]);
    const running = askJson(json(ROWS));
    const stopped = await stopOfflineChild(process.pid);
    const metrics = await (await fetch(`${service.service.url}/metrics`)).text();
    expect(metrics).toContain('\nmoraine_retrievals_running 1\n');
    expect(metrics).toContain('\nmoraine_retrievals_limit 1\n');
    const second = await askJson(json(ROWS));
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await second.json()).toMatchObject({ code: 'OVERLOADED' });
    leaving.abort();
    await expect(first).rejects.toThrow('aborted');
    process.kill(stopped, 'SIGCONT');
    expect((await running).status).toBe(200);
    await (await running).arrayBuffer();
    await expect.poll(noFolders).toEqual([]);
    const third = await askJson(json(ROWS));
    expect([third.status, (await arrowOf(third)).numRows]).toEqual([200, 5]);
    await expect.poll(noFolders).toEqual([]);
  });

  it('leave their place to others if the client goes away before their process is begun', async () => {
    const leaving = new AbortController();
    const { prototype } = OfflineProcesses;
    const begin = Object.getOwnPropertyDescriptor(prototype, 'begin')?.value as (
      this: OfflineProcesses,
    ) => Promise<OfflineTurn>;
    const slow = vi.spyOn(prototype, 'begin').mockImplementationOnce(async function (this: OfflineProcesses) {
      const turn = await begin.call(this);
      leaving.abort();
      await new Promise((resolve) => setTimeout(resolve, 200));
      return turn;
    });
    await expect(askJson(json(ROWS), ARROW, leaving.signal)).rejects.toThrow('aborted');
    slow.mockRestore();
    const next = async () => {
      const answer = await askJson(json(ROWS));
      await answer.arrayBuffer();
      return answer.status;
    };
    await expect.poll(next, { timeout: 20_000, interval: 500 }).toBe(200);
    await expect.poll(noFolders).toEqual([]);
  });

  it('leave their place to others if the client stops reading and keeps its connection', async () => {
    const impatient = await startLabService(lab, { maxRetrievals: 1, sendTimeoutMs: 3_000 });
    onTestFinished(impatient.close);
    const { url } = impatient.service;
    // The answer is larger than what the system keeps for a connection.
    const note = 'x'.repeat(1_000);
    const frame = tableFromArrays({
      driver: new BigInt64Array(30_000).fill(DRIVER),
      event_timestamp: Array.from({ length: 30_000 }, () => new Date('2026-03-01T12:00:00Z')),
      note: Array.from({ length: 30_000 }, () => note),
    });
    const body = tableToIPC(frame, 'stream');
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    onTestFinished(() => void socket.destroy());
    const closed = once(
      socket.on('error', () => undefined),
      'close',
    );
    const head = `POST /get-historical-features?features=all:large HTTP/1.1\r\nhost: x\r\naccept: application/json\r\n`;
    socket.write(`${head}content-type: ${ARROW}\r\ncontent-length: ${body.length}\r\n\r\n`);
    socket.write(body);
    await once(socket, 'readable');
    const ask = async (): Promise<number> => {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: json(ROWS) };
      const answer = await fetch(`${url}/get-historical-features`, init);
      await answer.arrayBuffer();
      return answer.status;
    };
    expect(await ask()).toBe(429);
    await expect.poll(ask, { timeout: 30_000, interval: 500 }).toBe(200);
    socket.resume();
    await closed;
    expect(socket.bytesRead).toBeLessThan(30_000_000);
    await expect.poll(noFolders).toEqual([]);
  });

  it('end with a client that goes away, and with the service', async () => {
    const leaving = new AbortController();
    const left = askJson(json(ROWS), ARROW, leaving.signal);
    await stopOfflineChild(process.pid);
    leaving.abort();
    await expect(left).rejects.toThrow('aborted');
    await expect.poll(noFolders).toEqual([]);

    const cut = askJson(json(ROWS));
    await stopOfflineChild(process.pid);
    await service.service.close();
    const answer = await cut;
    expect([answer.status, await answer.json()]).toEqual([503, expect.objectContaining({ code: 'SERVICE_CLOSING' })]);
    expect(noFolders()).toEqual([]);
  });
});
