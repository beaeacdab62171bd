import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configFromValue, loadConfig, parseByteSize, parseConfig } from '../../../config/index.js';
import { isMoraineError } from '../../../errors/index.js';
import { codeBlocks } from '../../support/code-blocks.js';
import { projectRoot } from '../../support/paths.js';

const parse = (text: string, env: Record<string, string> = {}) => parseConfig(text, { file: '/p/moraine.yaml', env });

/** Ten lists, each of ten aliases of the one before: ten billion values in 300 characters. */
const ALIAS_BOMB = Array.from({ length: 10 }, (_, i) => {
  const item = i === 0 ? 'x' : `*a${i - 1}`;
  return `k${i}: &a${i} [${Array(10).fill(item).join(', ')}]\n`;
}).join('');

/** The code and message of the error that `run` throws. */
function failure(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    if (isMoraineError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a configuration', () => {
  it('is complete when the file is empty', () => {
    const config = parse('');
    expect(config.defaultCatalog).toBe('local');
    expect(config.catalogs.get('local')).toEqual({
      type: 'sql',
      name: 'local',
      uri: '/p/.moraine/local.catalog.db',
      warehouse: '/p/warehouse',
    });
    expect(config.storage.roots).toEqual(['/p/warehouse']);
    expect(config.temporal).toEqual({ taskQueue: 'moraine' });
    expect(config.worker).toEqual({
      lightActivities: 32,
      heavyActivities: 4,
      shutdownGraceSeconds: 30,
      ingestFolders: [],
      ingestKafka: new Map(),
    });
    expect(config.online).toEqual({
      namespace: 'moraine_online',
      buckets: undefined,
      partitionStrategy: 'entity_hash',
      readTimeoutMs: 100,
      queueTimeoutMs: 1000,
      cacheBytes: 268_435_456,
    });
    expect(config.server).toEqual({
      host: '127.0.0.1',
      port: 6566,
      maxStalenessMs: 10_000,
      queueTimeoutMs: 50,
      requestTimeoutMs: 10_000,
      sendTimeoutMs: 60_000,
      shutdownTimeoutMs: 25_000,
      maxEntities: 10_000,
      groupCommitMs: 200,
      maxQueuedWrites: 10_000,
      maxRetrievals: 2,
      maxBatchEntities: 10_000,
      batchTimeoutMs: 60_000,
      maxBatches: 2,
      maxQueuedBytes: 268_435_456,
      logFeatures: new Map(),
      logLevel: 'info',
    });
    expect(config.registry.table).toBe('moraine.registry');
    expect(config.engine.tempDirectory).toBe('/p/.moraine/tmp');
    expect(config.definitions).toEqual([]);
  });

  it('takes a secret from the environment where an alias stands for it', () => {
    const config = parse(
      'storage:\n  options: { s3.secret-access-key: &key "${PASSWORD}" }\n  stores:\n    far: { roots: [s3://far], options: { s3.secret-access-key: *key } }\n',
      { PASSWORD: 'pw' },
    );
    expect([config.storage.options, config.storage.stores[0]?.options]).toEqual([
      { 's3.secret-access-key': 'pw' },
      { 's3.secret-access-key': 'pw' },
    ]);
  });

  it('reads every key, with paths relative to the file', () => {
    const config = parse(
      `
catalog: two
catalogs:
  one: { type: sql, uri: "sqlite:///rel.db", warehouse: /abs/w1 }
  two: { uri: "sqlite:////abs/two.db", warehouse: file:///abs/w 2%20 }
storage: { roots: [../shared, /abs], locations: { s3://b/wh: ../shared/wh }, options: { s3.region: r, s3.connect-timeout: 5 },
  cache: { directory: kept, maxSize: 3GB } }
engine: { memoryLimit: 1.5GiB, threads: 3, tempDirectory: t, type: auto, trinoAbove: 2TB }
trino: { uri: 'https://t:8443/', catalogs: { lake: iceberg }, staging: x.y, options: { trino.user: u, trino.token: "\${PASSWORD}" }, session: { a.b: 1, c: true }, maxStagedSize: 1GB }
temporal:
  { address: "h:1", namespace: n, profile: q, configFile: t.toml, apiKey: "\${PASSWORD}", tls: true, taskQueue: tq, uiAddress: 'http://ui:8233/',
    encryption: { keyFile: keys.txt }, deployment: { name: features, buildId: 0.2.0 } }
worker: { health: "[::1]:9464", lightActivities: 8, heavyActivities: 2, shards: 8, shutdownGraceSeconds: 45, ingestFolders: [/var/log, logs],
  ingestKafka: { open: { brokers: ["k1:9092", "[::1]:9093"], tls: true }, prod: { brokers: ["k:1"], tls: { ca: ca.pem, cert: /c.pem, key: k.pem }, sasl: { mechanism: PLAIN, username: u, password: "\${PASSWORD}" } } } }
online: { namespace: on, buckets: 32, partitionStrategy: hybrid, readTimeoutMs: 250, queueTimeoutMs: 2000, cache: { maxSize: 1GB } }
server: { host: 0.0.0.0, port: 8080, keys: keys.json, maxStalenessMs: 0, queueTimeoutMs: 20, requestTimeoutMs: 5000, sendTimeoutMs: 800, shutdownTimeoutMs: 0, maxEntities: 50, groupCommitMs: 0, maxQueuedWrites: 7, maxQueuedBytes: 5MB, maxRetrievals: 3, maxBatchEntities: 9, batchTimeoutMs: 700, maxBatches: 4, logFeatures: { rides: { sampleRate: 0.25 }, food: {} }, logLevel: warn }
logging: { namespace: served.logs }
registry: { table: m.r }
maintenance:
  - { tables: "s.*", compact: { strategy: sort, amplification: 2, deleteRatio: 0.1 }, budget: 1GiB,
      maintain: { olderThan: 7d, retainLast: 3, orphansOlderThan: 4d } }
definitions: [features.yaml]
stateFolder: state
`,
      { PASSWORD: '007' },
    );
    expect(config).toEqual({
      configFile: '/p/moraine.yaml',
      directory: '/p',
      stateFolder: '/p/state',
      defaultCatalog: 'two',
      catalogs: new Map([
        ['one', { type: 'sql', name: 'one', uri: '/p/rel.db', warehouse: '/abs/w1' }],
        ['two', { type: 'sql', name: 'two', uri: '/abs/two.db', warehouse: '/abs/w 2%20' }],
      ]),
      storage: {
        roots: ['/shared', '/abs'],
        locations: new Map([['s3://b/wh', '/shared/wh']]),
        options: { 's3.region': 'r', 's3.connect-timeout': '5' },
        stores: [],
        cache: { directory: '/p/kept', maxBytes: 3_000_000_000 },
      },
      engine: {
        memoryLimitBytes: 1_610_612_736,
        threads: 3,
        tempDirectory: '/p/t',
        type: 'auto',
        trinoAboveBytes: 2_000_000_000_000,
      },
      trino: {
        uri: 'https://t:8443',
        catalogs: new Map([['lake', 'iceberg']]),
        staging: ['x', 'y'],
        options: { 'trino.user': 'u', 'trino.token': '007' },
        session: { 'a.b': '1', c: 'true' },
        maxStagedBytes: 1_000_000_000,
      },
      temporal: {
        address: 'h:1',
        namespace: 'n',
        profile: 'q',
        configFile: '/p/t.toml',
        apiKey: '007',
        tls: true,
        taskQueue: 'tq',
        uiAddress: 'http://ui:8233',
        encryptionKeyFile: '/p/keys.txt',
        deployment: { name: 'features', buildId: '0.2.0' },
      },
      worker: {
        health: { host: '::1', port: 9464 },
        lightActivities: 8,
        heavyActivities: 2,
        shards: 8,
        shutdownGraceSeconds: 45,
        ingestFolders: ['/var/log', '/p/logs'],
        ingestKafka: new Map([
          ['open', { brokers: ['k1:9092', '[::1]:9093'], tls: true }],
          [
            'prod',
            {
              brokers: ['k:1'],
              tls: { ca: '/p/ca.pem', cert: '/c.pem', key: '/p/k.pem' },
              sasl: { mechanism: 'PLAIN', username: 'u', password: '007' },
            },
          ],
        ]),
      },
      online: {
        namespace: 'on',
        buckets: 32,
        partitionStrategy: 'hybrid',
        readTimeoutMs: 250,
        queueTimeoutMs: 2000,
        cacheBytes: 1_000_000_000,
      },
      server: {
        host: '0.0.0.0',
        port: 8080,
        keyFile: '/p/keys.json',
        maxStalenessMs: 0,
        queueTimeoutMs: 20,
        requestTimeoutMs: 5000,
        sendTimeoutMs: 800,
        shutdownTimeoutMs: 0,
        maxEntities: 50,
        groupCommitMs: 0,
        maxQueuedWrites: 7,
        maxRetrievals: 3,
        maxBatchEntities: 9,
        batchTimeoutMs: 700,
        maxBatches: 4,
        maxQueuedBytes: 5_000_000,
        logFeatures: new Map([
          ['rides', { sampleRate: 0.25 }],
          ['food', { sampleRate: 1 }],
        ]),
        logLevel: 'warn',
      },
      logging: { namespace: 'served.logs' },
      registry: { table: 'm.r' },
      maintenance: [
        {
          tables: 's.*',
          compact: { strategy: 'sort', amplification: 2, deleteRatio: 0.1 },
          maintain: { olderThan: '7d', retainLast: 3, orphansOlderThan: '4d' },
          budgetBytes: 1_073_741_824,
        },
      ],
      definitions: ['/p/features.yaml'],
    });
  });

  it('replaces environment variables in values, never in structure', () => {
    const config = parse(
      'temporal:\n  address: ${HOST}:${PORT:-7233}\n  apiKey: "${KEY}"\nengine:\n  threads: ${N}\n',
      {
        HOST: 'h',
        KEY: '1, taskQueue: stolen',
        N: '7',
      },
    );
    expect(config.temporal).toEqual({ address: 'h:7233', apiKey: '1, taskQueue: stolen', taskQueue: 'moraine' });
    expect(config.engine.threads).toBe(7);
  });

  it.each(['86400000ms', '86400s', '1440m', '24h', '1d', '1w'])('takes orphans of %s in a policy', (age) => {
    const { maintenance } = parse(`maintenance: [{ tables: "*", maintain: { orphansOlderThan: ${age} } }]`, {});
    expect(maintenance[0]?.maintain).toEqual({ orphansOlderThan: age });
  });

  it('keeps a quoted number a text, an empty variable its default, and $${ literal', () => {
    const config = parse('temporal: { taskQueue: "${Q}", namespace: "$${x}", apiKey: "${EMPTY:-d}" }', {
      Q: '12',
      EMPTY: '',
    });
    expect(config.temporal).toEqual({ taskQueue: '12', namespace: '${x}', apiKey: 'd' });
  });

  it('takes digits of a variable for a text where a text can be, with every zero', () => {
    const config = parse(
      [
        'temporal:',
        '  namespace: ${NS}',
        '  tls: ${TLS}',
        '  deployment:',
        '    name: ${NAME}',
        '    buildId: ${BUILD_ID}',
        'catalogs:',
        '  lake:',
        '    type: glue',
        '    warehouse: s3://lake/w',
        '    options:',
        '      glue.id: ${ACCOUNT}',
        '      glue.access-key-id: k',
        '      glue.secret-access-key: ${SECRET}',
        'storage:',
        '  options:',
        '    s3.access-key-id: ${KEY}',
        '    s3.secret-access-key: ${SECRET}',
        '    s3.anonymous: ${TLS}',
        'engine:',
        '  threads: ${N}',
        '  memoryLimit: ${BYTES}',
        'worker:',
        '  ingestKafka:',
        '    prod:',
        '      brokers: [k:1]',
        '      tls: ${TLS}',
        '      sasl:',
        '        mechanism: PLAIN',
        '        username: ${KEY}',
        '        password: ${SECRET}',
        'maintenance:',
        '  - tables: ${KEY}',
        '    compact:',
        '      deleteRatio: ${N}',
        '    maintain:',
        '      retainLast: ${N}',
        'server:',
        '  port: ${PORT}',
      ].join('\n'),
      {
        ...{ NS: '2024', NAME: '7', BUILD_ID: '57', ACCOUNT: '012345678901', SECRET: '00123', KEY: '12345678' },
        ...{ TLS: 'true', N: '1', BYTES: '1073741824', PORT: '8080' },
      },
    );
    const { namespace, tls, deployment } = config.temporal;
    expect({ namespace, tls, deployment }).toEqual({
      ...{ namespace: '2024', tls: true, deployment: { name: '7', buildId: '57' } },
    });
    expect(config.catalogs.get('lake')).toMatchObject({
      options: { 'glue.id': '012345678901', 'glue.secret-access-key': '00123' },
    });
    expect(config.storage.options).toEqual({
      ...{ 's3.access-key-id': '12345678', 's3.secret-access-key': '00123', 's3.anonymous': 'true' },
    });
    expect(config.engine).toMatchObject({ threads: 1, memoryLimitBytes: 1_073_741_824 });
    expect(config.worker.ingestKafka.get('prod')).toEqual({
      ...{ brokers: ['k:1'], tls: true, sasl: { mechanism: 'PLAIN', username: '12345678', password: '00123' } },
    });
    expect(config.maintenance[0]).toMatchObject({
      ...{ tables: '12345678', compact: { deleteRatio: 1 }, maintain: { retainLast: 1 } },
    });
    expect(config.server.port).toBe(8080);
  });

  it('says of a variable that gives no number what is expected, with the line', () => {
    expect(
      failure(() => parse('engine:\n  threads: ${N}\nserver:\n  port: ${PORT}\n', { N: 'two', PORT: '80' })),
    ).toEqual({
      code: 'CONFIG_INVALID',
      message: '/p/moraine.yaml:2: engine.threads: expected number, received string',
    });
  });

  it('has warehouses in an object store, with secrets of the environment', () => {
    const config = parse(
      'catalogs: { lake: { warehouse: s3://b/wh/ } }\nstorage: { options: { s3.secret-access-key: "${S}" } }\n',
      { S: 'abc' },
    );
    expect(config.catalogs.get('lake')).toMatchObject({ warehouse: 's3://b/wh' });
    expect(config.storage).toMatchObject({ roots: ['s3://b/wh'], options: { 's3.secret-access-key': 'abc' } });
  });

  it('has stores of their own, whose roots are storage roots', () => {
    const { storage } = parse(
      'storage: { roots: [/w], stores: { far: { roots: ["s3://far/"], options: { s3.region: r, s3.secret-access-key: "${S}" } } } }\n',
      { S: 'abc' },
    );
    const options = { 's3.region': 'r', 's3.secret-access-key': 'abc' };
    expect(storage.stores).toEqual([{ name: 'storage.stores.far', roots: ['s3://far'], options }]);
    expect(storage.roots).toEqual(['/w', 's3://far']);
    expect(storage.options).toEqual({});
  });

  it('takes options of stores under the names of others, and those of AWS for what S3 lacks', () => {
    const { storage } = parse(
      'storage: { roots: [/w], options: { client.region: r, client.access-key-id: c, s3.access-key-id: s, s3.path-style-access: true, gcs.oauth2.token: "${T}" } }\n',
      { T: 'abc' },
    );
    expect(storage.options).toEqual({
      's3.region': 'r',
      's3.access-key-id': 's',
      's3.force-virtual-addressing': 'false',
      'gcs.oauth2.token': 'abc',
    });
  });

  it('has catalogs on PostgreSQL, with passwords of the environment', () => {
    const uris = ['postgresql://u:${P}@h:5432/d?sslmode=require', 'postgres+psycopg2://h/d'];
    for (const uri of uris) {
      const config = parse(`catalogs: { lake: { uri: "${uri}" } }\n`, { P: 'abc' });
      expect(config.catalogs.get('lake')).toMatchObject({ uri: uri.replace('${P}', 'abc') });
    }
  });

  it('has REST catalogs, with their options, and needs the places of their tables', () => {
    const { catalogs, storage } = parse(
      'catalogs: { lake: { type: rest, uri: "https://h/c", warehouse: w, options: { credential: "${C}", header.X-A: 1 } } }\nstorage: { roots: [s3://b] }\n',
      { C: 'a:b' },
    );
    expect(catalogs.get('lake')).toEqual({
      type: 'rest',
      name: 'lake',
      uri: 'https://h/c',
      warehouse: 'w',
      options: { credential: 'a:b', 'header.X-A': '1' },
    });
    expect(storage.roots).toEqual(['s3://b']);
  });

  it('takes options of stores beside a catalog, as PyIceberg does, for the places of its tables', () => {
    const { catalogs, storage } = parse(
      `catalogs:
  a: { warehouse: "s3://lake/a/", options: { s3.endpoint: "http://h:1", s3.secret-access-key: "\${S}" } }
  b: { warehouse: "s3a://lake/b", options: { s3.secret-access-key: "\${S}", s3.endpoint: "http://h:1" } }
  c: { type: glue, warehouse: "s3://far/c", options: { client.region: r, client.access-key-id: k, glue.id: 7 } }
  d: { warehouse: "s3://plain/d" }
  e: { type: rest, uri: "https://h/e", options: { scope: x, client.region: q, s3.path-style-access: true } }
storage: { roots: [s3://lake, s3://far/c/tables, s3://plain/d, s3://far2] }
`,
      { S: 'abc' },
    );
    expect(storage).toMatchObject({
      stores: [
        {
          name: 'catalogs.a.options and catalogs.b.options',
          roots: ['s3://lake/a', 's3a://lake/b', 's3://lake'],
          options: { 's3.endpoint': 'http://h:1', 's3.secret-access-key': 'abc' },
        },
        {
          name: 'catalogs.c.options',
          roots: ['s3://far/c', 's3://far/c/tables'],
          options: { 's3.region': 'r', 's3.access-key-id': 'k' },
        },
      ],
      // The server of e decides where its tables are.
      options: { 's3.region': 'q', 's3.force-virtual-addressing': 'false' },
    });
    expect(catalogs.get('c')).toMatchObject({
      options: { 'glue.id': '7', 'glue.region': 'r', 'glue.access-key-id': 'k' },
    });
    expect(catalogs.get('e')).toMatchObject({ options: { scope: 'x', 'rest.signing-region': 'q' } });
    expect(Object.keys(catalogs.get('a') ?? {})).toEqual(['type', 'name', 'uri', 'warehouse']);
  });

  it('has Glue catalogs, with their options', () => {
    const { catalogs, storage } = parse(
      'catalogs: { lake: { type: glue, warehouse: "s3://b/wh/", options: { glue.region: r, glue.secret-access-key: "${S}" } } }\n',
      { S: 'abc' },
    );
    const options = { 'glue.region': 'r', 'glue.secret-access-key': 'abc' };
    expect(catalogs.get('lake')).toEqual({ type: 'glue', name: 'lake', warehouse: 's3://b/wh', options });
    expect(storage.roots).toEqual(['s3://b/wh']);
  });

  it('has Hive catalogs', () => {
    const { catalogs } = parse(
      'catalogs: { lake: { type: hive, uri: "thrift://h:9083,thrift://i", warehouse: wh, options: { ugi: me } } }\n',
    );
    const warehouse = '/p/wh';
    const uri = 'thrift://h:9083,thrift://i';
    expect(catalogs.get('lake')).toEqual({ type: 'hive', name: 'lake', uri, warehouse, options: { ugi: 'me' } });
  });

  it('has catalogs in memory, which have no address', () => {
    expect(parse('catalogs: { lake: { type: memory, warehouse: wh } }\n').catalogs.get('lake')).toEqual({
      type: 'memory',
      name: 'lake',
      warehouse: '/p/wh',
    });
    expect(failure(() => parse('catalogs: { lake: { type: memory, uri: x } }\n')).message).toBe(
      '/p/moraine.yaml:1: catalogs.lake.uri: is not for catalogs of type memory',
    );
  });

  it('reads every configuration of the page of catalogs', () => {
    const page = readFileSync(join(projectRoot, 'docs/catalogs.md'), 'utf8');
    const blocks = codeBlocks(page).filter(({ language }) => language === 'yaml');
    for (const { content } of blocks) {
      const env = Object.fromEntries(
        [...content.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [
          name,
          /CATALOG|ENDPOINT/.test(name)
            ? 'https://h'
            : /TRINO/.test(name)
              ? 'https://h/lake'
              : /METASTORE/.test(name)
                ? 'thrift://h:9083'
                : 'x',
        ]),
      );
      const { catalogs } = parse(content, env);
      expect([...catalogs.keys()].filter((name) => name !== 'trino')).toEqual(['lake']);
    }
    expect(blocks).toHaveLength(13);
  });

  it('can be given as a value', () => {
    const config = configFromValue({ engine: { threads: 1 } }, '/q');
    expect(config.configFile).toBeNull();
    expect(config.catalogs.get('local')).toMatchObject({ warehouse: '/q/warehouse' });
    expect(failure(() => configFromValue({ engin: {} } as never, '/q')).message).toBe(
      'the configuration is not valid: unknown key engin; did you mean engine?',
    );
  });
});

describe('a mistake names its line', () => {
  it.each([
    [
      'a: 1',
      '/p/moraine.yaml:1: unknown key a; known keys here: catalog, catalogs, storage, engine, trino, temporal, worker, online, server, logging, registry, maintenance, definitions, stateFolder',
    ],
    [
      '# c\nengine:\n  threads: 2\n  memorylimit: 1GB\n',
      '/p/moraine.yaml:4: unknown key engine.memorylimit; did you mean memoryLimit?',
    ],
    [
      'catalogs:\n  a:\n    type: sql\n    warehose: x\n',
      '/p/moraine.yaml:4: unknown key catalogs.a.warehose; did you mean warehouse?',
    ],
    ...['86399999ms', '1439 m', '23h'].map((age): [string, string] => [
      `maintenance:\n  - tables: "*"\n    maintain: { orphansOlderThan: ${age} }\n`,
      '/p/moraine.yaml:3: maintenance.0.maintain.orphansOlderThan: must be a day or more, such as 1d: younger files may be those of a writer at work; where nobody writes, a person may run `moraine maintain TABLE --orphans-older-than .. --allow-young`',
    ]),
    ['engine:\n  threads: many\n', '/p/moraine.yaml:2: engine.threads: expected number, received string'],
    ['engine:\n  memoryLimit: lots\n', '/p/moraine.yaml:2: engine.memoryLimit: must be a size such as 512MB or 2GiB'],
    [
      'trino: { uri: "https://t:8443/lake" }',
      '/p/moraine.yaml:1: trino.uri: must be the address of Trino without a catalog, such as https://host:8443',
    ],
    [
      'trino:\n  uri: http://t\n  staging: Moraine_Staging\n',
      '/p/moraine.yaml:3: trino.staging: must be in lower case, as Trino reads names',
    ],
    [
      'trino:\n  uri: http://t\n  options: { trino.usr: u }\n',
      '/p/moraine.yaml:3: trino.options.trino.usr: is not an option; there are trino.user, trino.password, trino.token, trino.query-timeout-ms and header.NAME',
    ],
    [
      'engine:\n  type: spark\n',
      '/p/moraine.yaml:2: engine.type: Invalid option: expected one of "duckdb"|"trino"|"auto"',
    ],
    [
      'engine:\n  threads: 2\n  type: trino\n',
      '/p/moraine.yaml:3: engine.type: trino needs trino.uri, which says where Trino is',
    ],
    ['online:\n  buckets: 0\n', '/p/moraine.yaml:2: online.buckets: expected number to be >=1'],
    [
      'storage:\n  roots:\n    - a\n    - hdfs://b/c\n',
      '/p/moraine.yaml:4: storage.roots.1: must be a folder of this machine, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX',
    ],
    [
      'storage:\n  options:\n    s3.endpont: x\n',
      '/p/moraine.yaml:3: unknown key storage.options.s3.endpont; did you mean s3.endpoint?',
    ],
    [
      'storage: { options: { s3.endpoint: localhost } }',
      '/p/moraine.yaml:1: storage.options.s3.endpoint: must be an address such as https://host:9000',
    ],
    [
      'storage:\n  options:\n    s3.access-key-id: a\n    s3.secret-access-key: abc\n',
      '/p/moraine.yaml:4: storage.options.s3.secret-access-key: a secret must not stand in the file; take it from the environment, as in s3.secret-access-key: ${MY_SECRET}',
    ],
    [
      'storage:\n  stores:\n    far:\n      roots: [s3://far]\n      options: { s3.session-token: abc }\n',
      '/p/moraine.yaml:5: storage.stores.far.options.s3.session-token: a secret must not stand in the file; take it from the environment, as in s3.session-token: ${MY_SECRET}',
    ],
    [
      'storage:\n  stores:\n    far:\n      roots: [/far]\n',
      '/p/moraine.yaml:4: storage.stores.far.roots.0: must be s3://BUCKET, s3://BUCKET/PREFIX, or the same with gs://',
    ],
    [
      'storage:\n  stores:\n    far: { roots: [s3://far], option: {} }\n',
      '/p/moraine.yaml:3: unknown key storage.stores.far.option; did you mean options?',
    ],
    [
      'storage:\n  options: { s3.resolve-region: true, gcs.session-kwargs: x }\n',
      '/p/moraine.yaml:2: unknown key storage.options.s3.resolve-region; set s3.region\n/p/moraine.yaml:2: unknown key storage.options.gcs.session-kwargs; it is a setting of gcsfs and does nothing here; leave it out',
    ],
    [
      'storage:\n  options: { s3.sse.type: custom }\n',
      '/p/moraine.yaml:2: storage.options.s3.sse.type: Invalid option: expected one of "none"|"s3"|"kms"|"dsse-kms"',
    ],
    [
      'storage:\n  options: { gcs.oauth2.token: abc }\n',
      '/p/moraine.yaml:2: storage.options.gcs.oauth2.token: a secret must not stand in the file; take it from the environment, as in gcs.oauth2.token: ${MY_SECRET}',
    ],
    [
      'worker:\n  ingestKafka:\n    prod:\n      brokers: [k:9092]\n      sasl: { mechanism: PLAIN, username: u, password: abc }\n',
      '/p/moraine.yaml:5: worker.ingestKafka.prod.sasl.password: a secret must not stand in the file; take it from the environment, as in password: ${MY_SECRET}',
    ],
    [
      'worker:\n  ingestKafka:\n    prod:\n      brokers: [k]\n',
      '/p/moraine.yaml:4: worker.ingestKafka.prod.brokers.0: must be HOST:PORT',
    ],
    [
      'worker:\n  ingestKafka:\n    prod:\n      brokers: ["k:1"]\n      sasls: {}\n',
      '/p/moraine.yaml:5: unknown key worker.ingestKafka.prod.sasls; did you mean sasl?',
    ],
    [
      'catalogs:\n  a: { uri: "mysql://h/d" }\n',
      '/p/moraine.yaml:2: catalogs.a.uri: must be a SQLite file (a path, or sqlite:///PATH), or postgresql://USER:PASSWORD@HOST/DATABASE',
    ],
    [
      'catalogs:\n  a: { uri: "postgresql+psycopg2://u:secret@h/d" }\n',
      '/p/moraine.yaml:2: catalogs.a.uri: a password must not stand in the file; take it from the environment, as in uri: postgresql://user:${MY_PASSWORD}@host/database',
    ],
    [
      'catalogs:\n  a: { uri: "postgresql://u@h/d?sslmode=require&password=secret" }\n',
      '/p/moraine.yaml:2: catalogs.a.uri: a password must not stand in the file; take it from the environment, as in uri: postgresql://user:${MY_PASSWORD}@host/database',
    ],
    [
      'trino:\n  uri: https://h\n  options:\n    trino.user: u\n    trino.password: abc\n    header.authorization: abc\n',
      [
        '/p/moraine.yaml:5: trino.options.trino.password: a secret must not stand in the file; take it from the environment, as in trino.password: ${MY_SECRET}',
        '/p/moraine.yaml:6: trino.options.header.authorization: a secret must not stand in the file; take it from the environment, as in header.authorization: ${MY_SECRET}',
      ].join('\n'),
    ],
    [
      'temporal:\n  apiKey: abc\n',
      '/p/moraine.yaml:2: temporal.apiKey: a secret must not stand in the file; take it from the environment, as in apiKey: ${MY_SECRET}',
    ],
    [
      'storage:\n  options: &own\n    s3.secret-access-key: abc\n  stores:\n    far: { roots: [s3://far], options: *own }\n',
      [
        '/p/moraine.yaml:3: storage.options.s3.secret-access-key: a secret must not stand in the file; take it from the environment, as in s3.secret-access-key: ${MY_SECRET}',
        '/p/moraine.yaml:5: storage.stores.far.options.s3.secret-access-key: a secret must not stand in the file; take it from the environment, as in s3.secret-access-key: ${MY_SECRET}',
      ].join('\n'),
    ],
    [
      'catalogs:\n  "a/b": {}\n',
      '/p/moraine.yaml:2: catalogs.a/b: a catalog name has only letters, digits, "_" and "-"',
    ],
    [
      'catalogs:\n  a:\n    type: rest\n    uri: h\n',
      '/p/moraine.yaml:4: catalogs.a.uri: must be the address of a REST catalog, such as https://host/path',
    ],
    [
      'catalogs:\n  a:\n    type: rest\n    uri: http://h\n',
      '/p/moraine.yaml:1: storage.roots: is needed beside the REST catalog a: name the folders or buckets in which it may put tables',
    ],
    [
      'catalogs:\n  a:\n    type: rest\n    uri: http://h\n    options:\n      tokn: x\n',
      '/p/moraine.yaml:6: catalogs.a.options.tokn: is not an option; there are token, credential, oauth2-server-uri, scope, audience, resource, token-refresh-enabled, prefix, rest.client.socket-timeout-ms, rest.sigv4-enabled, rest.signing-name, rest.signing-region, rest.access-key-id, rest.secret-access-key, rest.session-token, maintained-by, nessie.core-base-uri, nessie.max-snapshots and header.NAME',
    ],
    [
      'catalogs:\n  a:\n    type: rest\n    uri: http://h\n    options:\n      token: x\nstorage: { roots: [a] }\n',
      '/p/moraine.yaml:6: catalogs.a.options.token: a secret must not stand in the file; take it from the environment, as in token: ${MY_SECRET}',
    ],
    [
      'catalogs:\n  a:\n    options:\n      token: x\n',
      '/p/moraine.yaml:4: catalogs.a.options.token: is not an option; there are none but those of storage for catalogs of type sql',
    ],
    [
      'catalogs:\n  a:\n    type: glue\n    uri: http://h\n    options:\n      token: x\n',
      [
        '/p/moraine.yaml:2: catalogs.a.warehouse: is needed: it must be a folder of this machine, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX',
        '/p/moraine.yaml:4: catalogs.a.uri: is not for catalogs of type glue; another address than that of the region is glue.endpoint',
        '/p/moraine.yaml:6: catalogs.a.options.token: is not an option; there are glue.region, glue.endpoint, glue.id, glue.profile-name, glue.access-key-id, glue.secret-access-key and glue.session-token',
      ].join('\n'),
    ],
    [
      'catalogs:\n  a:\n    type: hive\n    uri: h:9083\n    warehouse: s3://b\n',
      '/p/moraine.yaml:4: catalogs.a.uri: must be the address of a Hive metastore, such as thrift://host:9083',
    ],
    [
      'catalogs:\n  a:\n    type: glue\n    warehouse: s3://b\n    options:\n      glue.secret-access-key: x\n',
      '/p/moraine.yaml:6: catalogs.a.options.glue.secret-access-key: a secret must not stand in the file; take it from the environment, as in glue.secret-access-key: ${MY_SECRET}',
    ],
    [
      'catalogs:\n  a:\n    warehouse: s3://b\n    options:\n      s3.endpoint: h:1\n      s3.signer.uri: x\n      client.session-token: x\n',
      [
        '/p/moraine.yaml:5: catalogs.a.options.s3.endpoint: must be an address such as https://host:9000',
        '/p/moraine.yaml:6: catalogs.a.options.s3.signer.uri: is not an option; a REST catalog gives it with each table; leave it out',
      ].join('\n'),
    ],
    [
      'catalogs:\n  a:\n    warehouse: s3://b\n    options:\n      client.session-token: x\n',
      '/p/moraine.yaml:5: catalogs.a.options.client.session-token: a secret must not stand in the file; take it from the environment, as in client.session-token: ${MY_SECRET}',
    ],
    [
      'catalogs:\n  a: { type: rest, uri: "http://h", options: { s3.region: r } }\n  b: { type: rest, uri: "http://i", options: { s3.region: q } }\nstorage: { roots: [s3://b] }\n',
      '/p/moraine.yaml:1: catalogs.a.options and catalogs.b.options: both would count for the same buckets, since the places of these tables are not known here; move the storage options of b to storage.stores.b: { roots: [s3://BUCKET], options: .. }',
    ],
    [
      'catalogs:\n  a: { type: rest, uri: "http://h", options: { s3.region: r } }\nstorage: { roots: [s3://b], options: { s3.region: q } }\n',
      '/p/moraine.yaml:1: catalogs.a.options and storage.options: both would count for the same buckets, since the places of these tables are not known here; move the storage options of a to storage.stores.a: { roots: [s3://BUCKET], options: .. }',
    ],
    [
      'catalogs:\n  a: { type: glue, warehouse: s3://b, options: { client.role-arn: r } }\n',
      '/p/moraine.yaml:2: catalogs.a.options.client.role-arn: is not taken for Glue itself; set s3.role-arn, and glue.profile-name to a profile that takes the role',
    ],
    [
      'catalogs:\n  a:\n    type: rest\n    uri: https://h\n    options:\n      ssl: { cabundle: ca.pem, client: { cert: c.pem, key: k.pem } }\nstorage: { roots: [w] }\n',
      '/p/moraine.yaml:6: catalogs.a.options.ssl: is not an option; set NODE_EXTRA_CA_CERTS to the file of cabundle; certificates of clients are not supported',
    ],
    ['catalogs: {}', '/p/moraine.yaml:1: catalogs: there must be at least one'],
    ['catalogs: { a: {} }\n\ncatalog: b\n', '/p/moraine.yaml:3: catalog: b is not one of the catalogs: a'],
    [
      'x: [1',
      '/p/moraine.yaml:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['engine: {}\nengine: {}\n', '/p/moraine.yaml:2: not valid YAML: Map keys must be unique'],
    ['- a\n', '/p/moraine.yaml:1: the file: expected object, received array'],
    ['catalog: a\nonline: *nope\n', '/p/moraine.yaml:2: the alias *nope has no anchor &nope before it'],
    [ALIAS_BOMB, '/p/moraine.yaml:1: its aliases stand for too many values; write the values out'],
    [
      'temporal:\n  address: a\n  apiKey: ${NOPE}\n',
      '/p/moraine.yaml:3: environment variable NOPE is not set; set it, or give a default: ${NOPE:-default}',
    ],
    [
      'temporal:\n  apiKey: "${a b}"\n',
      '/p/moraine.yaml:2: ${a b} is not a reference to an environment variable; write ${NAME} or ${NAME:-default}',
    ],
  ])('%j', (text, message) => {
    expect(failure(() => parse(text))).toEqual({ code: 'CONFIG_INVALID', message });
  });

  it('and every mistake is named at once', () => {
    expect(failure(() => parse('engin: {}\nonline:\n  bucket: 3\n')).message.split('\n')).toEqual([
      '/p/moraine.yaml:1: unknown key engin; did you mean engine?',
      '/p/moraine.yaml:3: unknown key online.bucket; did you mean buckets?',
    ]);
  });
});

describe('finding moraine.yaml', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'moraine-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('looks here and above', () => {
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    writeFileSync(join(folder, 'moraine.yaml'), 'online: { buckets: 3 }');
    const config = loadConfig({ cwd: join(folder, 'a/b') });
    expect(config.configFile).toBe(join(folder, 'moraine.yaml'));
    expect(config.directory).toBe(folder);
  });

  it('says what to do when there is none', () => {
    expect(failure(() => loadConfig({ cwd: folder }))).toEqual({
      code: 'CONFIG_NOT_FOUND',
      message: `no moraine.yaml in ${folder} or any folder above it`,
    });
    expect(failure(() => loadConfig({ cwd: folder, configFile: 'x.yaml' })).message).toBe(
      `cannot read the configuration ${join(folder, 'x.yaml')}: there is no such file; check --config`,
    );
  });
});

describe('sizes', () => {
  it.each([
    ['1', 1],
    ['512MB', 512_000_000],
    ['512 mib', 536_870_912],
    ['1.5GiB', 1_610_612_736],
    ['2TB', 2_000_000_000_000],
    ['0', undefined],
    ['-1GB', undefined],
    ['1XB', undefined],
    ['', undefined],
    ['GB', undefined],
  ])('%j', (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });
});

it.each([
  ['worker: { health: 9464 }', /moraine.yaml:1: .*health/],
  ['worker: { health: "localhost" }', /HOST:PORT/],
  ['worker: { health: "127.0.0.1:70000" }', /HOST:PORT/],
  ['temporal: { deployment: { name: a.b, buildId: "1" } }', /must have only letters, digits, "_" and "-"/],
  ['temporal: { encryption: { keys: secret } }', /keyFile/],
])('%s is refused', (text, message) => {
  const error = failure(() => parse(text));
  expect(error.code).toBe('CONFIG_INVALID');
  expect(error.message).toMatch(message);
});
