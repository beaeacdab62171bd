/** What `moraine feast export` and `serve --feast-registry` write, opened by the unmodified Feast. */
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createMoraine } from '../../client/index.js';
import { parseType } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { createApiKey, startService } from '../../service/index.js';
import { moraineOk } from '../support/cli.js';
import { feastProgram } from '../support/feast.js';
import { FeatureLab } from '../support/feature-lab.js';
import { describeInterop } from '../support/python.js';
import { startRestServer } from '../support/rest-server.js';
import { startMinio } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Features: their types here, values in SQL, and Feast's types, by hand from feast/types.py. */
const TYPES: Readonly<Record<string, readonly [type: string, sql: string, feast: string]>> = {
  flag: ['boolean', 'true', 'Bool'],
  small: ['int', '-7', 'Int32'],
  large: ['long', '9007199254740993', 'Int64'],
  single: ['float', '0.5', 'Float32'],
  huge: ['double', '1e300', 'Float64'],
  text: ['string', "'x'", 'String'],
  bytes: ['binary', "'\\x01'::BLOB", 'Bytes'],
  day: ['date', "'2026-03-01'", 'UnixTimestamp'],
  moment: ['timestamptz', "'2026-03-01 10:00:00Z'", 'UnixTimestamp'],
  id: ['uuid', "'00000000-0000-0000-0000-000000000001'", 'Uuid'],
  price: ['decimal(9, 2)', '12.50', 'Decimal'],
  longs: ['list<long>', '[1, 2]', 'Array(Int64)'],
  moments: ['list<timestamptz>', "['2026-03-01 10:00:00Z']", 'Array(UnixTimestamp)'],
  pair: ['struct<a: int>', "{'a': 1}", 'Struct({_value: String})'],
  grid: ['list<list<int>>', '[[1]]', 'Array(Array(String))'],
};
const EVENT = '2026-03-01T10:00:00Z';

interface Opened {
  readonly project: string;
  readonly views: Readonly<Record<string, { readonly features: Readonly<Record<string, string>> }>>;
  readonly online?: Readonly<Record<string, readonly unknown[]>>;
  readonly [part: string]: unknown;
}

describeInterop('a repository for Feast', () => {
  test('is opened by Feast as it is, and follows the definitions', { timeout: 300_000 }, async () => {
    const lab = await FeatureLab.open();
    const { folder } = lab;
    const columns = Object.fromEntries(Object.entries(TYPES).map(([name, [type]]) => [name, type]));
    const keys = { driver_id: 'long', zone: 'string', event_ts: 'timestamptz', created: 'timestamptz' };
    await lab.createTable('demo.t', { ...keys, ...columns });
    const values = Object.entries(TYPES).map(([name, [, sql]]) => `${sql} AS ${name}`);
    await lab.append(
      'demo.t',
      `SELECT 1 AS driver_id, 'a' AS zone, '${EVENT}'::TIMESTAMPTZ AS event_ts, '${EVENT}'::TIMESTAMPTZ AS created, ${values.join(', ')}`,
    );
    const source = { table: 'demo.t', timestampField: 'event_ts', createdTimestampField: 'created' };
    const definitions = {
      entities: [
        { name: 'driver', joinKeys: ['driver_id'], description: 'Who drives.' },
        { name: 'place', joinKeys: ['driver_id', 'zone'] },
      ],
      featureViews: [
        {
          name: 'types',
          entities: ['driver'],
          source,
          online: true,
          ttl: '36500d',
          features: Object.keys(TYPES),
          description: 'Of every type.',
          tags: { team: 'x' },
        },
        {
          name: 'zones',
          entities: ['place'],
          source: { ...source, fieldMapping: { small: 'trips' } },
          online: true,
          features: ['trips'],
          pushSource: 'rides',
        },
        { name: 'global', entities: [], source, online: false, features: ['large'], pushSource: 'rides' },
      ],
      featureServices: [
        {
          name: 'model',
          features: [
            { view: 'types', features: ['large', 'text'] },
            { view: 'zones', alias: 'z' },
          ],
        },
      ],
    };
    const config = {
      catalogs: { main: { uri: 'catalog.db', warehouse: 'warehouse' } },
      engine: { threads: 1 },
      online: { readTimeoutMs: 60_000 },
      server: { port: 0, queueTimeoutMs: 60_000 },
    };
    writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
    const moraine = await createMoraine({ cwd: folder });
    await moraine.apply(definitions);
    lab.define(definitions);
    for (const view of ['types', 'zones']) await materializeDirect({ ...lab.deps, catalog: lab.catalog }, { view });

    const repository = join(folder, 'feast_repo');
    const service = await startService({
      ...{ project: moraine.project, version: '', log: { write: () => undefined } },
    });
    try {
      await moraineOk(['feast', 'export', repository, '--url', service.url, '--project', 'rides'], { cwd: folder });
      const question = {
        features: ['types:large', 'types:text', 'zones:trips'],
        rows: [
          { driver_id: 1, zone: 'a' },
          { driver_id: 2, zone: 'a' },
        ],
      };
      const opened = await feastProgram<Opened>(
        'test/interop/programs/feast_export.py',
        repository,
        JSON.stringify(question),
      );
      const feastTypes = Object.fromEntries(Object.entries(TYPES).map(([name, [, , feast]]) => [name, feast]));
      const table = { class: 'IcebergSource', name: 'demo.t', table: 'demo.t', catalog: ['sql', 'main'] };
      const times = { timestamp: 'event_ts', created: 'created' };
      expect(opened).toEqual({
        project: 'rides',
        projects: ['rides'],
        // Feast lists neither the entity of views without one nor its name in them.
        entities: { driver: 'driver_id', place__driver_id: 'driver_id', place__zone: 'zone' },
        views: {
          types: {
            ...{ entities: ['driver'], keys: { driver_id: 'Int64' }, features: feastTypes, ttl: 36500 * 86_400 },
            ...{
              online: true,
              description: 'Of every type.',
              tags: { team: 'x' },
              source: { ...table, ...times, mapping: {} },
              push: null,
            },
          },
          zones: {
            ...{ entities: ['place__driver_id', 'place__zone'], keys: { driver_id: 'Int64', zone: 'String' } },
            ...{ features: { trips: 'Int32' }, ttl: 0, online: true, description: '', tags: {} },
            source: { ...table, ...times, mapping: { small: 'trips' } },
            push: ['PushSource', 'rides', true],
          },
          global: {
            ...{ entities: [], keys: {}, features: { large: 'Int64' }, ttl: 0, online: false },
            ...{ description: '', tags: {}, source: { ...table, ...times, mapping: {} } },
            push: ['PushSource', 'rides', true],
          },
        },
        pushSources: ['rides'],
        services: {
          model: [
            ['types', ['large', 'text'], {}],
            ['z', ['trips'], {}],
          ],
        },
        // PyIceberg opens the table by the source.
        columns: Object.fromEntries(
          ['types', 'zones', 'global'].map((name) => [
            name,
            expect.objectContaining({ driver_id: 'long', large: 'long' }) as object,
          ]),
        ),
        online: {
          ...{ driver_id: ['1', '2'], zone: ["'a'", "'a'"], large: ['9007199254740993', 'None'] },
          ...{ text: ["'x'", 'None'], trips: ['-7', 'None'] },
        },
      });
    } finally {
      await service.close();
    }

    const path = join(repository, 'registry.db');
    const before = readFileSync(path);
    const following = await startService({
      ...{ project: moraine.project, version: '', log: { write: () => undefined } },
      feastRegistry: { path, feastProject: 'rides' },
    });
    try {
      const view = { name: 'later', entities: ['driver'], source, online: true, features: ['huge'] };
      await moraine.apply({ ...definitions, featureViews: [...definitions.featureViews, view] });
      await expect.poll(() => readFileSync(path).includes('later'), { timeout: 20_000 }).toBe(true);
      expect(before.includes('later')).toBe(false);
      const { views } = await feastProgram<Opened>('test/interop/programs/feast_export.py', repository, 'null');
      expect(views['later']?.features).toEqual({ huge: 'Float64' });
      expect(Object.keys(views)).toHaveLength(4);
    } finally {
      await following.close();
      await moraine.close();
      await lab.close();
    }
  });

  test('of maps and a service with API keys is used with the key of the environment', {
    timeout: 300_000,
  }, async () => {
    const lab = await FeatureLab.open();
    onTestFinished(() => lab.close());
    const { folder } = lab;
    const maps: Readonly<Record<string, readonly [type: string, sql: string, feast: string, online: string]>> = {
      counts: [
        'map<string, long>',
        "MAP {'a': 9007199254740993, 'b': NULL}",
        'Map',
        "{'a': 9007199254740993, 'b': None}",
      ],
      words: ['map<string, string>', "MAP {'': 'x'}", 'Map', "{'': 'x'}"],
      numbers: ['map<long, double>', 'MAP {7: 0.5}', 'Map', "{'7': 0.5}"],
      nested: ['map<string, list<int>>', "MAP {'a': [1, 2]}", 'Map', "{'a': [1, 2]}"],
      several: ['list<map<string, long>>', "[MAP {'a': 1}, MAP {'b': 2}]", 'Array(Map)', "[{'a': 1}, {'b': 2}]"],
      none: ['map<string, long>', 'NULL', 'Map', 'None'],
      empty: ['map<string, long>', 'MAP {}', 'Map', '{}'],
    };
    const columns = Object.fromEntries(Object.entries(maps).map(([name, [type]]) => [name, type]));
    await lab.createTable('demo.m', { k: 'long', event_ts: 'timestamptz', ...columns });
    const values = Object.entries(maps).map(([name, [, sql]]) => `${sql} AS ${name}`);
    await lab.append('demo.m', `SELECT 1 AS k, '${EVENT}'::TIMESTAMPTZ AS event_ts, ${values.join(', ')}`);
    const definitions = {
      entities: [{ name: 'thing', joinKeys: ['k'] }],
      featureViews: [
        {
          ...{ name: 'maps', entities: ['thing'], online: true, features: Object.keys(maps) },
          source: { table: 'demo.m', timestampField: 'event_ts' },
        },
      ],
      featureServices: [
        { name: 'all', features: [{ view: 'maps', features: Object.keys(maps).filter((name) => name !== 'empty') }] },
        { name: 'hollow', features: [{ view: 'maps', features: ['empty'] }] },
      ],
    };
    const keys = join(folder, 'keys.json');
    const key = await createApiKey(keys, 'feast', ['read']);
    const config = {
      catalogs: { main: { uri: 'catalog.db', warehouse: 'warehouse' } },
      engine: { threads: 1 },
      online: { readTimeoutMs: 60_000 },
      server: { port: 0, queueTimeoutMs: 60_000, keys: 'keys.json' },
    };
    writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
    const moraine = await createMoraine({ cwd: folder });
    onTestFinished(() => moraine.close());
    await moraine.apply(definitions);
    lab.define(definitions);
    await materializeDirect({ ...lab.deps, catalog: lab.catalog }, { view: 'maps' });
    const service = await startService({
      ...{ project: moraine.project, version: '', log: { write: () => undefined } },
    });
    onTestFinished(() => service.close());
    const repository = join(folder, 'feast_repo');
    await moraineOk(['feast', 'export', repository, '--url', service.url], { cwd: folder });
    expect(readFileSync(join(repository, 'feature_store.yaml'), 'utf8')).toBe(`# Written by \`moraine feast export\`.
project: moraine
provider: local
registry:
  path: registry.db
  cache_ttl_seconds: 5
online_store:
  type: remote
  path: ${service.url}
auth:
  type: oidc
  token_env_var: MORAINE_API_KEY
entity_key_serialization_version: 3
`);
    const ask = (service = 'all'): Promise<Opened> => {
      const question = JSON.stringify({ service, rows: [{ k: 1 }] });
      return feastProgram<Opened>('test/interop/programs/feast_export.py', repository, question);
    };
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv('MORAINE_API_KEY', undefined);
    await expect(ask()).rejects.toThrow(
      /token_env_var='MORAINE_API_KEY' is configured but the environment variable is not set/,
    );
    vi.stubEnv('MORAINE_API_KEY', `${key}x`);
    await expect(ask()).rejects.toThrow(/Failed to get online features: 401|401/);
    vi.stubEnv('MORAINE_API_KEY', key);
    const { views, online } = await ask();
    expect(views['maps']?.features).toEqual(
      Object.fromEntries(Object.entries(maps).map(([name, [, , feast]]) => [name, feast])),
    );
    const readable = Object.entries(maps).filter(([name]) => name !== 'empty');
    const read = Object.fromEntries(readable.map(([name, [, , , value]]) => [name, [value]]));
    expect(online).toEqual({ k: ['1'], ...read });
    // As with empty lists.
    await expect(ask('hollow')).rejects.toThrow("Couldn't infer value type from empty value");
  });

  test('names tables of other catalogs and stores so that Feast opens them', { timeout: 300_000 }, async () => {
    const folder = realpathSync(temporaryFolder());
    const store = await startMinio();
    onTestFinished(() => store.close());
    await store.makeBucket('lake');
    const rest = await startRestServer(join(folder, 'rest'));
    onTestFinished(() => rest.close());
    onTestFinished(() => void vi.unstubAllEnvs());
    // Secrets come from where PyIceberg's file system looks for them.
    const [id, secret] = [store.options['s3.access-key-id'], store.options['s3.secret-access-key'] as string];
    vi.stubEnv('AWS_ACCESS_KEY_ID', id);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret);
    const secrets = { 's3.secret-access-key': '${AWS_SECRET_ACCESS_KEY}' };
    const config = {
      catalogs: {
        main: { uri: 'catalog.db', warehouse: 'warehouse' },
        lake: { uri: 'lake.db', warehouse: 's3://lake/w' },
        java: { type: 'rest', uri: rest.uriOf('java') },
      },
      storage: { roots: ['warehouse', 'rest', 's3://lake'], options: { ...store.options, ...secrets } },
      engine: { threads: 1 },
    };
    writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
    const moraine = await createMoraine({ cwd: folder });
    onTestFinished(() => moraine.close());
    const catalogs = ['main', 'lake', 'java'];
    const types = { k: 'long', event_ts: 'timestamptz' };
    for (const catalog of catalogs) {
      const fields = Object.entries({ ...types, [`f_${catalog}`]: 'string' }).map(([name, type], index) => {
        return { id: index + 1, name, required: false, type: parseType(type) };
      });
      await moraine.createTable(`${catalog}/demo.t`, { schema: { schemaId: 0, identifierFieldIds: [], fields } });
    }
    await moraine.apply({
      entities: [{ name: 'thing', joinKeys: ['k'] }],
      featureViews: catalogs.map((catalog) => ({
        ...{ name: `of_${catalog}`, entities: ['thing'], features: [`f_${catalog}`] },
        source: { table: `${catalog}/demo.t`, timestampField: 'event_ts' },
      })),
    });
    const repository = join(folder, 'feast_repo');
    await moraineOk(['feast', 'export', repository], { cwd: folder });
    expect(readFileSync(join(repository, 'registry.db')).includes(secret)).toBe(false);
    const { columns } = await feastProgram<Opened>('test/interop/programs/feast_export.py', repository, 'null');
    expect(columns).toEqual(
      Object.fromEntries(catalogs.map((catalog) => [`of_${catalog}`, { ...types, [`f_${catalog}`]: 'string' }])),
    );
  });
});
