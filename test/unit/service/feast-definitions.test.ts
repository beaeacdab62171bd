import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MoraineError } from '../../../errors/index.js';
import { findFeatureView, parseDefinitions } from '../../../features/index.js';
import type { Project } from '../../../project/index.js';
import { listedView } from '../../../service/feast-answers.js';
import { FeatureLab } from '../../support/feature-lab.js';
import { type LabService, startLabService } from '../../support/lab-service.js';

const FILE = {
  entities: [{ name: 'city', joinKeys: ['city'] }],
  featureViews: [
    { name: 'weather', entities: ['city'], source: { table: 'demo.w', timestampField: 'ts' }, features: ['wind'] },
  ],
};
const SOURCE = { schema: 'demo', table_name: 't', timestamp_field: 'event_ts', created_timestamp_column: 'created' };
const BODY = {
  name: 'stats',
  entities: ['driver_id'],
  features: [
    { name: 'rate', dtype: 'Float64' },
    { name: 'trips', dtype: 'INT64' },
    { name: 'seen', dtype: 'INT64' },
    { name: 'price' },
  ],
  source: SOURCE,
  online: true,
  ttl_seconds: 90_000,
  description: 'What drivers do.',
  tags: { team: 'maps' },
};

let lab: FeatureLab;
let service: LabService;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.t', {
    ...{ driver_id: 'long', event_ts: 'timestamptz', created: 'timestamptz' },
    ...{ rate: 'float', trips: 'long', seen: 'timestamptz', price: 'decimal(10,2)' },
  });
  await lab.createTable('demo.w', { city: 'string', ts: 'timestamptz', wind: 'list<double>' });
  service = await startLabService(lab);
  await service.moraine.apply(FILE);
});
afterAll(async () => {
  await service.close();
  await lab.close();
});

const STATS = {
  name: 'stats',
  entities: ['driver_id'],
  features: [
    { name: 'rate', dtype: 'DOUBLE' },
    { name: 'trips', dtype: 'INT64' },
    { name: 'seen', dtype: 'INT64' },
    { name: 'price', dtype: 'DOUBLE' },
  ],
  source_table: 'demo.t',
  online_enabled: true,
  ttl_seconds: 90_000,
  description: 'What drivers do.',
  tags: { team: 'maps' },
};

describe('definitions over HTTP', () => {
  it('are paths of the OpenAPI document with each of their methods, and have no others', async () => {
    const { paths } = (await service.get('/openapi.json')).body as { readonly paths: Readonly<Record<string, object>> };
    expect(Object.keys(paths['/feast/features'] ?? {})).toEqual(['get', 'post']);
    const { status, headers } = await fetch(`${service.service.url}/feast/features`, { method: 'DELETE' });
    expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  });

  it('registers a view and its entity once; asked again, the answer is the same', async () => {
    const first = await service.post('/feast/features', BODY);
    const created_at: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    const message = "The feature view 'stats' is registered.";
    expect(first).toEqual({ status: 201, body: { ...STATS, created_at, status: 'registered', message } });
    expect(await service.post('/feast/features', BODY)).toEqual(first);
    expect(await service.moraine.entities()).toMatchObject([
      { name: 'city', joinKeys: ['city'] },
      { name: 'driver_id', joinKeys: ['driver_id'], registeredBy: 'http' },
    ]);
    const { view } = await service.moraine.view('stats');
    expect(view).toMatchObject({ source: { table: 'demo.t', createdTimestampField: 'created' }, ttlMs: 90_000_000n });
  });

  it('registers a service, and lists what there is', async () => {
    const answer = await service.post('/feast/features/service', { name: 'rank', features: ['stats:rate', 'weather'] });
    expect(answer).toMatchObject({
      status: 201,
      body: { name: 'rank', features: ['stats:rate', 'weather'], status: 'registered' },
    });
    expect(await service.get('/feast/status')).toEqual({
      status: 200,
      body: {
        ...{ registry_type: 'iceberg', online_store_type: 'iceberg', offline_store_type: 'iceberg' },
        ...{ num_feature_views: 2, feature_views: ['stats', 'weather'] },
        ...{ num_entities: 2, entities: ['city', 'driver_id'] },
        ...{ num_feature_services: 1, feature_services: ['rank'] },
      },
    });
    const { body } = await service.get('/feast/features');
    expect(body).toMatchObject({
      feature_views: [
        STATS,
        { name: 'weather', features: [{ name: 'wind', dtype: 'DOUBLE_LIST' }], online_enabled: false },
      ],
    });
  });

  it('refuses a definition that differs from a registered one, and changes nothing', async () => {
    const other = await service.post('/feast/features', {
      ...BODY,
      tags: { team: 'maps' },
      ttl_seconds: 60,
      online: false,
    });
    const error = "The feature view 'stats' is registered already, and differs in online, ttl.";
    expect(other).toMatchObject({ status: 409, body: { code: 'DEFINITION_ALREADY_EXISTS', error } });
    const service409 = await service.post('/feast/features/service', { name: 'rank', features: ['stats'] });
    expect(service409.status).toBe(409);
    expect(service409.body['error']).toMatch(
      /^The feature service 'rank' is registered already, and differs in features/,
    );
    expect((await service.moraine.view('stats')).view.ttlMs).toBe(90_000_000n);
  });

  it('answers a view of a file as it is registered, which stays one of the file', async () => {
    const features = [{ name: 'wind' }];
    const source = { schema: 'demo', table_name: 'w', timestamp_field: 'ts' };
    const body = { name: 'weather', entities: ['city'], features, source, online: false };
    expect(await service.post('/feast/features', body)).toMatchObject({ status: 201, body: { name: 'weather' } });
    expect((await service.moraine.view('weather')).view.registeredBy).toBeUndefined();
  });

  it.each([
    ['an unknown table', { source: { ...SOURCE, table_name: 'none' } }, 404, 'TABLE_NOT_FOUND'],
    [
      'an unknown column',
      { name: 'x', features: [{ name: 'rates' }] },
      400,
      "has no column 'rates'. Did you mean 'rate'",
    ],
    ['an unknown time', { name: 'x', source: { ...SOURCE, timestamp_field: 'at' } }, 400, "has no column 'at'"],
    ['a key without a column', { name: 'x', entities: ['rider'] }, 400, "has no column 'rider'"],
    [
      'another type',
      { name: 'x', features: [{ name: 'rate', dtype: 'Int64' }] },
      400,
      'INT64 in Feast, float in the table',
    ],
    [
      'an unknown type',
      { name: 'x', features: [{ name: 'rate', dtype: 'Real' }] },
      400,
      "'Real' is not a type of Feast",
    ],
    ['a name with a slash', { name: 'a/b' }, 400, 'must begin with a letter'],
    ['a negative ttl', { name: 'x', ttl_seconds: -1 }, 400, "The body's ttl_seconds must be >= 0."],
    ['no features', { name: 'x', features: [] }, 400, "The body's features must NOT have fewer than 1 items."],
  ])('refuses %s', async (_, change, status, text) => {
    const answer = await service.post('/feast/features', { ...BODY, ...change });
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).toContain(text);
    expect((await service.moraine.views()).map(({ name }) => name)).toEqual(['stats', 'weather']);
  });

  it('leaves what was registered over HTTP alone when files are applied with prune, until a file defines it', async () => {
    const pruned = await service.moraine.apply(FILE, { prune: true }).catch((error: Error) => error.message);
    expect(pruned).toMatchObject({ plan: { changes: [{ action: 'unchanged' }, { action: 'unchanged' }] } });
    expect((await service.moraine.views()).map(({ name }) => name)).toEqual(['stats', 'weather']);
    const taken = {
      entities: [...FILE.entities, { name: 'driver_id', joinKeys: ['driver_id'] }],
      featureViews: [
        ...FILE.featureViews,
        {
          name: 'stats',
          entities: ['driver_id'],
          source: { table: 'demo.t', timestampField: 'event_ts' },
          features: ['rate'],
        },
      ],
      featureServices: [{ name: 'rank', features: ['stats'] }],
    };
    await service.moraine.apply(taken);
    const { plan } = await service.moraine.apply(FILE, { prune: true });
    expect(plan.changes.filter(({ action }) => action === 'delete').map(({ name }) => name)).toEqual([
      'driver_id',
      'stats',
      'rank',
    ]);
  });
});

it('takes bodies as services on Trino take them: types in lower case, descriptions of features, services of whole views', async () => {
  const described = { description: 'Of trips that were paid.', tags: { unit: 'share' } };
  const features = [
    { name: 'rate', dtype: 'float32', ...described },
    { name: 'trips', dtype: 'int64' },
    { name: 'seen', dtype: 'unix_timestamp' },
  ];
  const source = { catalog: 'main', ...SOURCE };
  const body = { name: 'zero_copy', entities: ['driver_id'], features, source, ttl_seconds: 86_400, online: false };
  const wind = {
    ...{ name: 'wind', entities: ['city'], features: [{ name: 'wind', dtype: 'array_float64' }], online: false },
    source: { schema: 'demo', table_name: 'w', timestamp_field: 'ts' },
  };
  const answers = [await service.post('/feast/features', body), await service.post('/feast/features', wind)];
  expect(answers.map(({ status, body: answer }) => [status, answer['features']])).toEqual([
    [
      201,
      [
        { name: 'rate', dtype: 'FLOAT' },
        { name: 'trips', dtype: 'INT64' },
        { name: 'seen', dtype: 'INT64' },
      ],
    ],
    [201, [{ name: 'wind', dtype: 'DOUBLE_LIST' }]],
  ]);
  const of = async (request: object) => await service.post('/feast/features/service', request);
  expect(await of({ name: 'all', feature_views: ['zero_copy', 'wind'] })).toMatchObject({
    status: 201,
    body: { features: ['zero_copy', 'wind'], feature_views: ['zero_copy', 'wind'], status: 'registered' },
  });
  expect(
    await of({ name: 'both', features: ['zero_copy:rate', 'zero_copy:trips'], feature_views: ['wind'] }),
  ).toMatchObject({
    status: 201,
    body: { features: ['zero_copy:rate', 'zero_copy:trips', 'wind'], feature_views: ['zero_copy', 'wind'] },
  });
  const none = await of({ name: 'none', description: 'Of nothing.' });
  expect([none.status, none.body['error']]).toEqual([400, "The body has no 'features'."]);
});

it.each([
  ['sources', { ...BODY, sources: ['weather'] }],
  ['udf', { name: 'doubled', udf: 'def f(x): return x', mode: 'pandas' }],
])('refuses an on-demand feature view, told by %s', async (_, body) => {
  const answer = await service.post('/feast/features', body);
  expect([answer.status, answer.body['code']]).toEqual([422, 'ON_DEMAND_UNSUPPORTED']);
  expect(answer.body['error']).toContain('On-demand feature views are not supported.');
});

it('knows the name of an on-demand feature view nowhere else', async () => {
  const [name, entities] = ['doubled', { driver_id: [1] }];
  const df = { driver_id: [1], x: [1.5], event_timestamp: ['2026-03-01T00:00:00'] };
  const timed = { ...entities, event_timestamp: ['2026-03-01T00:00:00Z'] };
  const answers = [
    await service.post('/get-online-features', { features: [`${name}:x`], entities }),
    await service.post('/write-to-online-store', { feature_view_name: name, df }),
    await service.post('/get-historical-features', { features: [`${name}:x`], entities: timed }),
    await service.post('/feast/predictions/batch', { feature_views: [name], entities: [{ driver_id: 1 }] }),
  ];
  for (const { status, body } of answers) expect([status, body['code']]).toEqual([404, 'FEATURE_VIEW_NOT_FOUND']);
  const ofIt = await service.post('/feast/features/service', { name: 'of_it', features: [`${name}:x`] });
  expect([ofIt.status, ofIt.body['code']]).toEqual([400, 'DEFINITION_INVALID']);
});

it.each(['/search', '/retrieve-online-documents', '/vector_stores/x/search', '/v1/vector_stores'])(
  'answers the path %s of vector stores with 404 in JSON',
  async (path) => {
    const answer = await service.post(path, { query: 'x' });
    expect([answer.status, answer.body['code']]).toEqual([404, 'PATH_NOT_FOUND']);
  },
);

it.each([
  ['CATALOG_UNAVAILABLE', null],
  ['STORAGE_UNAVAILABLE', null],
  ['TABLE_NOT_FOUND', [{ name: 'wind', dtype: null }]],
] as const)('the types of a list whose table cannot be loaded: %s', async (code, features) => {
  const loadTable = { value: () => Promise.reject(new MoraineError(code, 'It cannot be loaded.')) };
  const project = Object.create(service.moraine.project, { loadTable }) as Project;
  const definitions = parseDefinitions([{ value: FILE }]);
  const view = findFeatureView(definitions, 'weather');
  const listed = listedView(project, definitions, view, new Map());
  if (features === null) await expect(listed).rejects.toMatchObject({ code });
  else expect(await listed).toMatchObject({ features });
});
