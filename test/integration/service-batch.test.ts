/** `POST /feast/predictions/batch`: features of online views and of others, which are read in a process of their own. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { commitAppend } from '../../tables/index.js';
import { FeatureLab } from '../support/feature-lab.js';
import { type LabService, startLabService } from '../support/lab-service.js';
import { putFile } from '../support/put-file.js';
import { describeInterop, python } from '../support/python.js';
import { dataFile } from '../support/table-fixture.js';

const LARGE = '9007199254740993';
const EPOCH = '1970-01-01T00:00:00Z';
const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const hoursAgo = (count: number): string => new Date(NOW_MS - count * 3_600_000).toISOString();
/** As the service writes it. */
const shown = (count: number): string => hoursAgo(count).replace('.000Z', 'Z');

let lab: FeatureLab;
let service: LabService;
beforeAll(async () => {
  lab = await FeatureLab.open();
  const times = { event_ts: 'timestamptz', created: 'timestamptz' };
  await lab.createTable('demo.trips', {
    driver: 'long',
    zone: 'binary',
    ...times,
    fare: 'decimal(9,2)',
    note: 'string',
    at: 'timestamptz',
  });
  await lab.createTable('demo.drivers', { driver: 'long', ...times, score: 'double' });
  const trip = (hours: number, fare: string, note: string): string =>
    `(${LARGE}, '\\x00\\xFF'::BLOB, '${hoursAgo(hours)}'::TIMESTAMPTZ, NULL::TIMESTAMPTZ, ${fare}::DECIMAL(9,2), ${note}, '2001-02-03 04:05:06.75Z'::TIMESTAMPTZ)`;
  await lab.append('demo.trips', `SELECT * FROM (VALUES ${trip(3, '1.10', "'older'")}, ${trip(2, '5', 'NULL')})`);
  await lab.append('demo.trips', `SELECT * FROM (VALUES ${trip(-5, '9', "'future'")})`);
  await lab.append(
    'demo.drivers',
    `SELECT * FROM (VALUES (1, '${hoursAgo(1)}'::TIMESTAMPTZ, NULL::TIMESTAMPTZ, 5.0::DOUBLE), (2, '${hoursAgo(30)}', NULL, 7.0), (${LARGE}, '${hoursAgo(1)}', NULL, 'NaN'))`,
  );
  service = await startLabService(lab, { maxBatches: 1, maxBatchEntities: 4 });
  const source = (table: string) => ({ table, timestampField: 'event_ts', createdTimestampField: 'created' });
  await service.moraine.apply({
    entities: [
      { name: 'driver', joinKeys: ['driver'] },
      { name: 'zone', joinKeys: ['zone'] },
    ],
    featureViews: [
      { name: 'trips', entities: ['driver', 'zone'], source: source('demo.trips') },
      { name: 'drivers', entities: ['driver'], source: source('demo.drivers'), online: true, ttl: '1d' },
      { name: 'rated', entities: ['driver'], source: source('demo.drivers'), ttl: '1d' },
    ],
  });
  await materializeDirect(await materializationDeps(service.moraine.project), { view: 'drivers' });
});
afterAll(async () => {
  await service.close();
  await lab.close();
});

const PATH = '/feast/predictions/batch';

function post(body: string, signal: AbortSignal | null = null, url = service.service.url): Promise<Response> {
  return fetch(`${url}${PATH}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal });
}
const textOf = async (body: string): Promise<string> => (await post(body)).text();
const snapshotOf = async (table: string): Promise<string> =>
  String((await lab.table(table)).metadata.currentSnapshotId);

const noFolders = (): readonly string[] =>
  readdirSync(service.moraine.project.config.engine.tempDirectory).filter((name) => name.startsWith('retrieval'));

/** A result of one driver and one feature. */
const scored = (driver: string, value: string, status: string, time: string): string =>
  `{"entities":{"driver":${driver}},"features":{"score":${value}},"statuses":{"score":"${status}"},"event_timestamps":{"score":"${time}"}}`;
const DRIVERS = [
  scored('1', '5.0', 'PRESENT', shown(1)),
  scored('2', 'null', 'OUTSIDE_MAX_AGE', shown(30)),
  scored('3', 'null', 'NOT_FOUND', EPOCH),
  scored(LARGE, '"NaN"', 'PRESENT', shown(1)),
];
const ENTITIES = `[{"driver":1,"other":0.5},{"driver":2},{"driver":3},{"driver":${LARGE}}]`;

describe('a batch of predictions', () => {
  it('has the features of an online view, entity by entity', async () => {
    const online = `{"drivers":{"table":"moraine_online.drivers","snapshot":"${await snapshotOf('moraine_online.drivers')}"}}`;
    expect(await textOf(`{"feature_views":["drivers"],"entities":${ENTITIES}}`)).toBe(
      `{"results":[${DRIVERS.join(',')}],"snapshots":${online}}`,
    );
  });

  it('has the snapshots that its header asks for, of online views; with others the header is refused', async () => {
    const ask = async (views: readonly string[], minSnapshot: string): Promise<readonly unknown[]> => {
      const answer = await fetch(`${service.service.url}${PATH}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'moraine-min-snapshot': minSnapshot },
        body: `{"feature_views":${JSON.stringify(views)},"entities":[{"driver":1}]}`,
      });
      const body = (await answer.json()) as { readonly error?: string; readonly code?: string };
      return [answer.status, body.code, body.error];
    };
    const current = await snapshotOf('moraine_online.drivers');
    expect(await ask(['drivers'], `drivers=${current}`)).toEqual([200, undefined, undefined]);
    expect((await ask(['drivers'], 'drivers=5')).slice(0, 2)).toEqual([404, 'SNAPSHOT_NOT_FOUND']);
    expect(await ask(['drivers'], `rated=${current}`)).toEqual([
      ...[400, 'INVALID_ARGUMENT'],
      "The header Moraine-Min-Snapshot names 'rated', which the request does not read; it reads 'drivers'.",
    ]);
    expect((await ask(['drivers'], 'drivers')).slice(0, 2)).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await ask(['rated'], 'rated=5')).toEqual([
      ...[400, 'INVALID_ARGUMENT'],
      "The header Moraine-Min-Snapshot is for batches whose views are all online, and 'rated' is not: it is read from its source table as it is now.",
    ]);
  });

  it('has those of a view that is not online, from its source, with the same statuses', async () => {
    const source = `{"rated":{"table":"demo.drivers","snapshot":"${await snapshotOf('demo.drivers')}"}}`;
    expect(await textOf(`{"feature_views":["rated"],"entities":${ENTITIES}}`)).toBe(
      `{"results":[${DRIVERS.join(',')}],"snapshots":${source}}`,
    );
    await expect.poll(noFolders).toEqual([]);
  });

  it('reads both kinds together, with values and keys of each type as clients of Feast read them', async () => {
    const answer = await post(
      `{"feature_views":["trips","drivers"],"full_feature_names":true,"entities":[{"driver":${LARGE},"zone":"AP8="},{"driver":1,"zone":null}]}`,
    );
    expect(await answer.text()).toBe(
      [
        `{"results":[{"entities":{"driver":${LARGE},"zone":"AP8="},`,
        '"features":{"trips__fare":"5.00","trips__note":null,"trips__at":981173106,"drivers__score":"NaN"},',
        '"statuses":{"trips__fare":"PRESENT","trips__note":"NULL_VALUE","trips__at":"PRESENT","drivers__score":"PRESENT"},',
        `"event_timestamps":{"trips__fare":"${shown(2)}","trips__note":"${shown(2)}","trips__at":"${shown(2)}","drivers__score":"${shown(1)}"}},`,
        '{"entities":{"driver":1,"zone":null},',
        '"features":{"trips__fare":null,"trips__note":null,"trips__at":null,"drivers__score":5.0},',
        '"statuses":{"trips__fare":"NOT_FOUND","trips__note":"NOT_FOUND","trips__at":"NOT_FOUND","drivers__score":"PRESENT"},',
        `"event_timestamps":{"trips__fare":"${EPOCH}","trips__note":"${EPOCH}","trips__at":"${EPOCH}","drivers__score":"${shown(1)}"}}],`,
        `"snapshots":{"trips":{"table":"demo.trips","snapshot":"${await snapshotOf('demo.trips')}"},`,
        `"drivers":{"table":"moraine_online.drivers","snapshot":"${await snapshotOf('moraine_online.drivers')}"}}}`,
      ].join(''),
    );
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    // Without entities there are no results.
    expect(JSON.parse(await textOf('{"feature_views":["trips"],"entities":[]}'))).toMatchObject({ results: [] });
  });

  it.each([
    ['an unknown view', '{"feature_views":["rate"],"entities":[]}', 404, "Did you mean 'rated'?"],
    ['no views', '{"feature_views":[],"entities":[]}', 400, "The body's feature_views"],
    ['an entity that is not an object', '{"feature_views":["rated"],"entities":[1]}', 400, "The body's entities.0"],
    ['a missing key', '{"feature_views":["rated"],"entities":[{"drive":1}]}', 400, "the join key 'driver'"],
    ['a key of another type', '{"feature_views":["rated"],"entities":[{"driver":"1"}]}', 400, 'is not of type long'],
    [
      'a key with a fraction',
      `{"feature_views":["rated"],"entities":[{"driver":${LARGE}.5}]}`,
      400,
      'not of type long',
    ],
    ['two features of one name', '{"feature_views":["rated","drivers"],"entities":[{"driver":1}]}', 409, "'score'"],
    [
      'too many entities',
      '{"feature_views":["rated"],"entities":[{},{},{},{},{}]}',
      413,
      'has 5 entities, and may have 4 (server.maxBatchEntities)',
    ],
  ])('refuses %s', async (_, body, status, text) => {
    const answer = await post(body);
    expect(await answer.text()).toContain(text);
    expect(answer.status).toBe(status);
  });

  it('is refused while others are at work, ends with its client, and does not hold up batches of online views', async () => {
    const leaving = new AbortController();
    const body = `{"feature_views":["rated"],"entities":${ENTITIES}}`;
    const first = post(body, leaving.signal);
    await expect.poll(noFolders).not.toEqual([]);
    const second = await post(body);
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await second.json()).toMatchObject({
      code: 'OVERLOADED',
      error: expect.stringContaining('(server.maxBatches)') as string,
    });
    expect((await post(body.replace('rated', 'drivers'))).status).toBe(200);
    leaving.abort();
    await expect(first).rejects.toThrow('aborted');
    await expect.poll(noFolders).toEqual([]);
    expect((await post(body)).status).toBe(200);
  });

  it('is not waited for beyond its limit of time', async () => {
    const impatient = await startLabService(lab, { batchTimeoutMs: 1 });
    onTestFinished(impatient.close);
    const answer = await post(`{"feature_views":["rated"],"entities":${ENTITIES}}`, null, impatient.service.url);
    expect([answer.status, await answer.json()]).toEqual([
      504,
      expect.objectContaining({
        code: 'TIMED_OUT',
        error: 'The answer was not ready within 1 ms (server.batchTimeoutMs).',
      }),
    ]);
    await expect.poll(noFolders).toEqual([]);
  });
});

describeInterop('types that online tables do not have', () => {
  it('are answered in a batch as the page says: bytes in base64, nanoseconds as seconds, rounded down', async () => {
    await lab.createTable('demo.fixed', { k: 'long', at: 'timestamptz', fixed: 'fixed[4]' });
    const fixed = await lab.table('demo.fixed');
    const filePath = `${fixed.metadata.location}/data/fixed.parquet`;
    const fileSizeInBytes = await putFile(lab.io, filePath, (path) => python('fixed_column.py', path));
    await commitAppend(fixed, { files: [dataFile([], { filePath, fileSizeInBytes, recordCount: 3n })] });
    const nanos = {
      plain: 'timestamp_ns',
      zoned: 'timestamptz_ns',
      moments: 'list<timestamptz_ns>',
      clocks: 'list<time>',
    };
    await lab.createTable('demo.nanos', { k: 'long', at: 'timestamptz', ...nanos });
    const [late, early] = [
      "TIMESTAMP_NS '2001-02-03 04:05:06.999999999'",
      "TIMESTAMP_NS '1969-12-31 23:59:59.999999999'",
    ];
    await lab.append(
      'demo.nanos',
      `SELECT 0::BIGINT AS k, to_timestamp(0) AS at, ${late} AS plain, ${early} AS zoned, [${late}, ${early}] AS moments, [TIME '10:00:00.5'] AS clocks`,
    );
    const view = (name: string, online: boolean) => ({
      ...{ name, entities: ['k'], online },
      source: { table: `demo.${name}`, timestampField: 'at' },
      ...(name === 'nanos' ? { pushSource: 'nanos' } : {}),
    });
    const define = (online: boolean) =>
      service.moraine.apply({
        entities: [{ name: 'k', joinKeys: ['k'] }],
        featureViews: [view('fixed', online), view('nanos', online)],
      });
    const refused = await define(true).catch((error: Error) => error.message);
    expect(refused).toMatch(
      /Column 'fixed' of demo\.fixed is of type fixed\[4\], which cannot be written to the online table/,
    );
    expect(refused).toMatch(/Column 'plain' .* timestamp_ns, which online tables \(format version 2\) do not have/);
    expect(refused).toMatch(/Column 'zoned' .* timestamptz_ns, which online tables \(format version 2\) do not have/);
    await define(false);
    const ask = async (name: string, keys: readonly number[]): Promise<unknown> => {
      const answer = await post(JSON.stringify({ feature_views: [name], entities: keys.map((k) => ({ k })) }));
      const text = await answer.text();
      expect(answer.status, text).toBe(200);
      const { results } = JSON.parse(text) as { readonly results: readonly { readonly features: unknown }[] };
      return results.map(({ features }) => features);
    };
    expect(await ask('fixed', [0, 1, 2])).toEqual([{ fixed: 'AAAAAA==' }, { fixed: '//4AAQ==' }, { fixed: null }]);
    const df = {
      ...{ k: [1], at: ['2001-02-03T04:05:06Z'], clocks: [['10:00:00']] },
      ...{ plain: ['2001-02-03T04:05:06.999999999'], zoned: [-1], moments: [['1969-12-31T23:59:59.999999999Z', null]] },
    };
    const pushed = await service.post('/push', { push_source_name: 'nanos', df, to: 'offline' });
    expect(pushed).toMatchObject({ status: 200, body: { tables: [{ table: 'demo.nanos' }] } });
    expect(await ask('nanos', [0, 1])).toEqual([
      { plain: 981_173_106, zoned: -1, moments: [981_173_106, -1], clocks: ['10:00:00.500000'] },
      { plain: 981_173_106, zoned: -1, moments: [-1, null], clocks: ['10:00:00.000000'] },
    ]);
    // All digits are in the table.
    const entities = { k: [1], event_timestamp: ['2026-03-02T00:00:00Z'] };
    const stored = await service.post('/get-historical-features', { features: ['nanos'], entities });
    expect(stored.body).toEqual([
      {
        ...{ k: 1, event_timestamp: '2026-03-02T00:00:00.000000Z', clocks: ['10:00:00.000000'] },
        ...{ plain: '2001-02-03T04:05:06.999999999', zoned: '1969-12-31T23:59:59.000000000Z' },
        moments: ['1969-12-31T23:59:59.999999999Z', null],
      },
    ]);
  });
});
