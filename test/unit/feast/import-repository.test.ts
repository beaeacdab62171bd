/** The committed repository was applied by the real Feast (test/fixtures/feast); what is expected is what its definitions.py says. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../config/index.js';
import { type FeastImport, importFeast, readFeastRepository, type TableSchema } from '../../../feast/index.js';
import { parseSchema } from '../../../iceberg/index.js';
import { projectRoot } from '../../support/paths.js';

const REPOSITORY = join(projectRoot, 'test/fixtures/feast/repository');

function importFixture(
  schemas: ReadonlyMap<string, TableSchema> = new Map(),
  folder = REPOSITORY,
): Promise<FeastImport> {
  const repository = readFeastRepository(REPOSITORY, {});
  return importFeast(repository, {
    folder,
    findTables: async () => new Map(),
    readSchemas: async (_config, tables) =>
      new Map(tables.flatMap((t) => (schemas.has(t) ? [[t, schemas.get(t) ?? { reason: '' }]] : []))),
  });
}

const leftOut = ({ findings }: FeastImport) =>
  findings.filter((finding) => finding.outcome === 'left-out').map(({ kind, name }) => `${kind} ${name}`);

describe('a repository of the real Feast', () => {
  it('has its entities, views and services', async () => {
    const { definitions } = await importFixture();
    expect(definitions.entities).toEqual([
      {
        name: 'driver',
        description: 'Who drives.',
        tags: new Map([
          ['owner', 'supply@example.com'],
          ['team', 'supply'],
        ]),
        joinKeys: ['driver_id'],
      },
      { name: 'zone', joinKeys: ['zone_id'] },
    ]);
    expect(definitions.featureViews).toEqual([
      {
        name: 'driver_hourly_stats',
        description: 'Hourly figures of each driver.',
        tags: new Map([
          ['owner', 'supply@example.com'],
          ['tier', '1'],
        ]),
        entities: ['driver'],
        source: {
          table: 'rides.driver_stats',
          timestampField: 'event_timestamp',
          createdTimestampField: 'created',
          fieldMapping: new Map([['trips', 'avg_daily_trips']]),
        },
        ttl: '1d',
        online: true,
        features: [
          { name: 'conv_rate', type: 'float' },
          { name: 'acc_rate', type: 'double' },
          { name: 'avg_daily_trips', type: 'long' },
        ],
      },
      {
        name: 'driver_profile',
        entities: ['driver'],
        source: { table: 'rides.driver_profiles', timestampField: 'event_timestamp' },
        online: false,
        features: [
          { name: 'signed_up' },
          { name: 'fee' },
          { name: 'balance', type: 'double' },
          { name: 'license' },
          { name: 'badge', type: 'string' },
          { name: 'active', type: 'boolean' },
          { name: 'languages', type: 'list<string>' },
          { name: 'regions' },
          { name: 'attributes' },
          { name: 'rides', type: 'int' },
        ],
      },
      {
        name: 'fuel_price',
        entities: [],
        source: { table: 'rides.fuel', timestampField: 'event_timestamp' },
        ttl: '1w',
        online: true,
        features: [{ name: 'price', type: 'double' }],
      },
      {
        name: 'pushed_stats',
        entities: ['driver'],
        source: { table: 'rides.driver_stats', timestampField: 'event_timestamp' },
        online: true,
        features: [{ name: 'conv_rate', type: 'float' }],
        pushSource: 'driver_push',
      },
      {
        name: 'remote_stats',
        entities: ['driver'],
        source: { table: 'feast_iceberg/rides.stars', timestampField: 'event_timestamp' },
        online: true,
        features: [{ name: 'stars', type: 'double' }],
      },
      {
        name: 'route_stats',
        entities: ['driver', 'zone'],
        source: {
          table: 'rides.routes',
          timestampField: 'event_timestamp',
          fieldMapping: new Map([
            ['ts', 'event_timestamp'],
            ['zone', 'zone_id'],
          ]),
        },
        ttl: '129600500ms',
        online: true,
        features: [{ name: 'minutes', type: 'double' }],
      },
      {
        name: 'zone_demand',
        entities: ['zone'],
        source: { table: 'rides.zone_demand', timestampField: 'event_timestamp' },
        online: true,
        features: [{ name: 'demand', type: 'long' }],
      },
    ]);
    expect(definitions.featureServices).toEqual([
      {
        name: 'driver_ranking',
        description: 'What the ranking model reads.',
        tags: new Map([
          ['model', 'ranking'],
          ['owner', 'ranking@example.com'],
        ]),
        features: ['driver_hourly_stats', { view: 'driver_profile', features: ['license', 'active'] }, 'fuel_price'],
      },
      {
        name: 'trip_model',
        features: [
          { view: 'zone_demand', alias: 'origin', joinKeyMap: new Map([['zone_id', 'origin_zone']]) },
          { view: 'zone_demand', alias: 'destination', joinKeyMap: new Map([['zone_id', 'destination_zone']]) },
        ],
      },
    ]);
  });

  it('is configured as its stores were', async () => {
    const { config, files } = await importFixture();
    expect(config).toEqual({
      catalog: 'lake',
      catalogs: {
        lake: { type: 'sql', uri: join(REPOSITORY, 'catalog.db'), warehouse: join(REPOSITORY, 'warehouse') },
        feast_iceberg: { type: 'rest', uri: 'http://127.0.0.1:1/iceberg', warehouse: 'unity' },
      },
      storage: { roots: [join(REPOSITORY, 'warehouse')] },
      online: { namespace: 'rides_online', buckets: 8, readTimeoutMs: 250 },
      definitions: ['features.yaml'],
    });
    // Paths are relative to the file, and the file can be loaded.
    const text = files.get('moraine.yaml') ?? '';
    expect(text).toContain('    uri: catalog.db\n    warehouse: warehouse\n');
    const loaded = parseConfig(text, { file: '/elsewhere/moraine.yaml' });
    expect(loaded.catalogs.get('lake')).toMatchObject({
      uri: '/elsewhere/catalog.db',
      warehouse: '/elsewhere/warehouse',
    });
    expect(loaded.storage.roots).toEqual(['/elsewhere/warehouse']);
    expect(loaded.online).toMatchObject({ namespace: 'rides_online', buckets: 8, readTimeoutMs: 250 });
  });

  it('names files by absolute paths when they are not below the new project', async () => {
    const { files } = await importFixture(new Map(), '/elsewhere');
    expect(files.get('moraine.yaml')).toContain(`    uri: ${join(REPOSITORY, 'catalog.db')}\n`);
  });

  it('never has its secrets copied', async () => {
    const { files, findings } = await importFixture();
    const text = files.get('moraine.yaml') ?? '';
    expect(text).toContain(
      [
        '#   s3.endpoint: "http://127.0.0.1:9000"',
        '#   s3.access-key-id: ${FEAST_OFFLINE_S3_ACCESS_KEY_ID}',
        '#   s3.secret-access-key: ${FEAST_OFFLINE_S3_SECRET_ACCESS_KEY}',
        '#   s3.session-token: ${RIDES_SESSION_TOKEN}',
      ].join('\n'),
    );
    expect(JSON.stringify([...files]) + JSON.stringify(findings)).not.toContain('made-up');
  });

  it('has listed what has no counterpart', async () => {
    expect(leftOut(await importFixture())).toEqual([
      'offline_store option storage_options',
      'token_env_var feast_iceberg',
      'feature view driver_credit',
      'description or tags of features driver_hourly_stats: acc_rate',
      'feature view transformed_stats',
      'feature service fare_model',
      'on-demand feature view expected_fare',
      'stream feature view driver_live',
      'Kafka source driver_topic',
      'request source fare_request',
    ]);
  });
});

describe('tables that can be read', () => {
  const field = (id: number, name: string, type: string) => ({ id, name, required: false, type });
  const table = (...columns: readonly (readonly [string, string])[]): TableSchema =>
    parseSchema({
      type: 'struct',
      'schema-id': 0,
      fields: columns.map(([name, type], id) => field(id + 1, name, type)),
    });

  it('decide a type that they cannot be read as, a feature that they lack, and a mapping of nothing', async () => {
    const result = await importFixture(
      new Map([
        [
          'rides.driver_stats',
          table(
            ['driver_id', 'long'],
            ['event_timestamp', 'timestamptz'],
            ['created', 'timestamp'],
            ['conv_rate', 'double'],
          ),
        ],
      ]),
    );
    const view = result.definitions.featureViews.find(({ name }) => name === 'driver_hourly_stats');
    expect(view).toMatchObject({ features: [{ name: 'conv_rate' }] });
    expect(Reflect.get(view ?? {}, 'source')).not.toHaveProperty('fieldMapping');
    const found = result.findings.filter(({ name }) => name.startsWith('driver_hourly_stats'));
    expect(found.map(({ outcome, kind, name, reason }) => [outcome, kind, name, reason])).toEqual([
      ['left-out', 'field mapping', 'driver_hourly_stats: trips', 'the table has no such column'],
      [
        'left-out',
        'description or tags of features',
        'driver_hourly_stats: acc_rate',
        'a feature has a name and a type',
      ],
      [
        'changed',
        'feature',
        'driver_hourly_stats:conv_rate',
        'FLOAT in Feast, double in the table: it has the type of the table here',
      ],
      ['left-out', 'feature', 'driver_hourly_stats:acc_rate', 'the table has no such column'],
      ['left-out', 'feature', 'driver_hourly_stats:avg_daily_trips', 'the table has no such column'],
    ]);
    // A service never comes with fewer features than it had.
    const services = result.findings.filter(({ kind }) => kind === 'feature service');
    expect(services.map(({ name, reason }) => [name, reason])).toEqual([
      [
        'driver_ranking',
        'it needs driver_hourly_stats:acc_rate, which is not imported, driver_hourly_stats:avg_daily_trips, which is not imported',
      ],
      [
        'fare_model',
        'it needs driver_hourly_stats:acc_rate, which is not imported, driver_hourly_stats:avg_daily_trips, which is not imported, expected_fare, which is not an imported feature view',
      ],
    ]);
  });

  it('leave a view out whose key or time they cannot hold', async () => {
    const result = await importFixture(
      new Map([
        ['rides.zone_demand', table(['zone_id', 'double'], ['event_timestamp', 'timestamptz'], ['demand', 'long'])],
        ['rides.fuel', table(['event_timestamp', 'long'], ['price', 'double'])],
        ['rides.routes', table(['driver_id', 'long'], ['ts', 'timestamptz'], ['minutes', 'double'])],
      ]),
    );
    const reasons = new Map(result.findings.map(({ kind, name, reason }) => [`${kind} ${name}`, reason]));
    expect(reasons.get('feature view zone_demand')).toBe(
      'column zone_id of rides.zone_demand is of type double, which cannot be a join key',
    );
    expect(reasons.get('feature view fuel_price')).toBe(
      'column event_timestamp of rides.fuel is of type long, which cannot be a timestamp',
    );
    expect(reasons.get('feature view route_stats')).toBe('table rides.routes has no column zone_id');
    expect(reasons.get('feature service trip_model')).toContain('zone_demand, which is not an imported feature view');
    expect(result.definitions.featureViews.map(({ name }) => name)).toEqual([
      'driver_hourly_stats',
      'driver_profile',
      'pushed_stats',
      'remote_stats',
    ]);
  });

  it('that cannot be read are said to be unchecked', async () => {
    const { findings } = await importFixture(new Map([['rides.fuel', { reason: 'the disk is gone' }]]));
    expect(findings.find(({ name }) => name === 'fuel_price')).toMatchObject({
      outcome: 'changed',
      reason: 'its table rides.fuel could not be read, so its features and types are unchecked: the disk is gone',
    });
  });
});
