/** The shape of `moraine.yaml` as written. Unknown keys are errors. */
import { z } from 'zod';
import { parseByteSize } from './byte-size.js';
import {
  BUCKET_PLACE,
  catalogSchema,
  isBucketPlace,
  isTablePlace,
  isTrinoServer,
  TABLE_PLACE,
  TRINO_SERVER,
  trinoOptions,
} from './catalog-options.js';
import { parseHostAndPort } from './host-and-port.js';
import { storageOptions } from './storage-options.js';

const text = z.string().min(1, 'must not be empty');
const count = (most: number) => z.int().min(1).max(most);

const byteSize = z
  .union([z.string(), z.number()])
  .refine((value) => parseByteSize(String(value)) !== undefined, 'must be a size such as 512MB or 2GiB');

const hasScheme = (value: string): boolean => /^[A-Za-z][A-Za-z0-9+.-]*:/.test(value);

const localPath = text.refine(
  (value) => !hasScheme(value) || value.startsWith('file:/'),
  'must be a folder or file of this machine',
);

const tablePlace = text.refine(isTablePlace, TABLE_PLACE);
const bucketPlace = text.refine(isBucketPlace, BUCKET_PLACE);

/** `NS.TABLE` without a catalog: the registry lives in the default catalog. */
const tableName = text.refine((value) => value.includes('.') && !value.includes('/'), 'must be NAMESPACE.TABLE');

const plainName = (what: string) =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, `a ${what} name has only letters, digits, "_" and "-"`);

/** A catalog's name is the part of `CATALOG/NS.TABLE` before the slash, so it must be readable there. */
const catalogName = plainName('catalog');

/** A store beside that of `storage.options`. */
const store = z.strictObject({
  roots: z.array(bucketPlace).min(1, 'must name a bucket'),
  options: storageOptions.optional(),
});

/** Temporal writes a version `NAME.BUILD`, so that the name has no dot. */
const deploymentText = (pattern: RegExp, rule: string) =>
  z.string().regex(pattern, rule).max(200, 'must not be longer than 200 characters');
const deployment = z.strictObject({
  name: deploymentText(/^[\w-]+$/, 'must have only letters, digits, "_" and "-"'),
  buildId: deploymentText(/^[\w.-]+$/, 'must have only letters, digits, "_", "." and "-"'),
});

const hostAndPort = z.string().refine((value) => parseHostAndPort(value) !== undefined, 'must be HOST:PORT');

/** A Kafka cluster, by the rules of `sink run --kafka`. */
const kafkaCluster = z.strictObject({
  brokers: z.array(hostAndPort).min(1, 'must name a broker'),
  tls: z
    .union([
      z.boolean(),
      z.strictObject({ ca: localPath.optional(), cert: localPath.optional(), key: localPath.optional() }),
    ])
    .optional(),
  sasl: z
    .strictObject({ mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']), username: text, password: text })
    .optional(),
});

const duration = z.string().regex(/^[1-9]\d{0,9}\s*(ms|s|m|h|d|w)$/, 'must be a duration such as 6h or 5d');

/** How many of a unit are a day; days and weeks are one. */
const UNITS_OF_DAY = new Map([
  ['ms', 86_400_000],
  ['s', 86_400],
  ['m', 1440],
  ['h', 24],
]);

/** Younger orphans may be files of a writer in flight. A run of a person may confirm that nobody writes; a policy cannot. */
const orphanAge = duration.refine((value) => {
  const [, number, unit] = /^(\d+)\s*([a-z]+)$/.exec(value) ?? [];
  return Number(number ?? 1) >= (UNITS_OF_DAY.get(unit ?? '') ?? 1);
}, 'must be a day or more, such as 1d: younger files may be those of a writer at work; where nobody writes, a person may run `moraine maintain TABLE --orphans-older-than .. --allow-young`');

/** Maintenance policy of the tables that match a pattern. */
const maintenancePolicy = z.strictObject({
  tables: text,
  compact: z
    .strictObject({
      strategy: z.enum(['binpack', 'sort', 'latest']).optional(),
      amplification: z.number().min(1).optional(),
      deleteRatio: z.number().min(0).max(1).optional(),
    })
    .optional(),
  maintain: z
    .strictObject({
      olderThan: duration.optional(),
      retainLast: count(1_000_000).optional(),
      orphansOlderThan: orphanAge.optional(),
      deleteOutside: z.boolean().optional(),
      metadataVersions: count(1_000_000).optional(),
    })
    .optional(),
  budget: byteSize.optional(),
});

const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
/** Levels of the service's log, the most detailed first. */
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const settings = z.strictObject({
  catalog: text.optional(),
  catalogs: z.record(catalogName, catalogSchema).optional(),
  storage: z
    .strictObject({
      roots: z.array(tablePlace).optional(),
      locations: z.record(text, localPath).optional(),
      options: storageOptions.optional(),
      stores: z.record(plainName('store'), store).optional(),
      cache: z.strictObject({ directory: localPath.optional(), maxSize: byteSize.optional() }).optional(),
    })
    .optional(),
  engine: z
    .strictObject({
      memoryLimit: byteSize.optional(),
      threads: count(1024).optional(),
      tempDirectory: localPath.optional(),
      type: z.enum(['duckdb', 'trino', 'auto']).optional(),
      trinoAbove: byteSize.optional(),
    })
    .optional(),
  trino: z
    .strictObject({
      uri: text.refine(isTrinoServer, TRINO_SERVER),
      catalogs: z.record(catalogName, text).optional(),
      staging: text
        .refine((value) => value === value.toLowerCase(), 'must be in lower case, as Trino reads names')
        .optional(),
      options: trinoOptions.optional(),
      session: z
        .record(
          z.string().regex(/^[A-Za-z_][\w.]*$/, 'must be a session property, NAME or CATALOG.NAME'),
          z.union([z.string(), z.number(), z.boolean()]),
        )
        .optional(),
      maxStagedSize: byteSize.optional(),
    })
    .optional(),
  temporal: z
    .strictObject({
      address: text.optional(),
      namespace: text.optional(),
      profile: text.optional(),
      configFile: localPath.optional(),
      apiKey: text.optional(),
      tls: z.boolean().optional(),
      taskQueue: text.optional(),
      uiAddress: z
        .url({ protocol: /^https?$/, error: 'expected the URL of a web UI, such as http://localhost:8233' })
        .optional(),
      encryption: z.strictObject({ keyFile: localPath }).optional(),
      deployment: deployment.optional(),
    })
    .optional(),
  worker: z
    .strictObject({
      health: hostAndPort.optional(),
      lightActivities: count(10_000).optional(),
      heavyActivities: count(1024).optional(),
      shards: count(1000).optional(),
      shutdownGraceSeconds: count(86_400).optional(),
      ingestFolders: z.array(localPath).optional(),
      ingestKafka: z.record(plainName('cluster'), kafkaCluster).optional(),
    })
    .optional(),
  online: z
    .strictObject({
      namespace: text.optional(),
      buckets: count(65_536).optional(),
      partitionStrategy: z.enum(['entity_hash', 'timestamp', 'hybrid']).optional(),
      readTimeoutMs: count(3_600_000).optional(),
      queueTimeoutMs: count(3_600_000).optional(),
      cache: z.strictObject({ maxSize: byteSize.optional() }).optional(),
    })
    .optional(),
  server: z
    .strictObject({
      host: text.optional(),
      port: z.int().min(0).max(65_535).optional(),
      keys: localPath.optional(),
      tls: z.strictObject({ cert: localPath, key: localPath, minVersion: z.enum(TLS_VERSIONS).optional() }).optional(),
      maxStalenessMs: z.int().min(0).max(86_400_000).optional(),
      queueTimeoutMs: count(3_600_000).optional(),
      requestTimeoutMs: count(3_600_000).optional(),
      sendTimeoutMs: count(3_600_000).optional(),
      shutdownTimeoutMs: z.int().min(0).max(3_600_000).optional(),
      maxEntities: count(1_000_000).optional(),
      groupCommitMs: z.int().min(0).max(60_000).optional(),
      maxQueuedWrites: count(1_000_000).optional(),
      maxQueuedBytes: byteSize.optional(),
      maxRetrievals: count(1024).optional(),
      maxBatchEntities: count(1_000_000).optional(),
      batchTimeoutMs: count(3_600_000).optional(),
      maxBatches: count(1024).optional(),
      logFeatures: z.record(text, z.strictObject({ sampleRate: z.number().min(0).max(1).optional() })).optional(),
      logLevel: z.enum(LOG_LEVELS).optional(),
    })
    .optional(),
  logging: z.strictObject({ namespace: text.optional() }).optional(),
  registry: z.strictObject({ table: tableName.optional() }).optional(),
  maintenance: z.array(maintenancePolicy).optional(),
  definitions: z.array(localPath).optional(),
  stateFolder: localPath.optional(),
});

export const configSchema = settings.superRefine(({ engine, trino }, context) => {
  if (engine?.type !== 'trino' || trino !== undefined) return;
  const message = 'trino needs trino.uri, which says where Trino is';
  context.addIssue({ code: 'custom', path: ['engine', 'type'], message });
});

/** `moraine.yaml` as a value: the same keys, every one of them optional. */
export type ConfigInput = z.infer<typeof configSchema>;

/** The keys that a configuration may have at a path, for "did you mean"; none where any name is allowed. */
export function knownKeysAt(path: readonly PropertyKey[]): readonly string[] {
  let schema: unknown = configSchema;
  for (const key of path) {
    schema = unwrap(schema);
    if (schema instanceof z.ZodObject) schema = (schema.shape as Record<string, unknown>)[String(key)];
    else if (schema instanceof z.ZodRecord) schema = schema.valueType;
    else if (schema instanceof z.ZodArray) schema = schema.element;
    else return [];
  }
  schema = unwrap(schema);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? schema.unwrap() : schema;
}
