/** The shapes of what the library's methods take. Types say the same; programs without types, and values from outside, are held to it here. */
import { z } from 'zod';
import { RECORD_TIMES } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { SASL_MECHANISMS } from '../sink/index.js';
import {
  bytes,
  callback,
  count,
  date,
  flag,
  isObject,
  micros,
  named,
  object,
  optionalText,
  type Shape,
  shaped,
  signal,
  text,
} from './basic-shapes.js';

const feature = shaped('a feature reference', (value) => typeof value === 'string' || isObject(value));
const features = z.array(feature).optional();
const map = shaped('a Map', (value) => value instanceof Map);
const stringMap = shaped('names and tables, as an object or a Map', isObject).optional();

const asOf = shaped('a snapshot, a time, a ref or snapshots by table', isObject).optional();
const window = z.strictObject({ start: date, end: date, startUs: micros, endUs: micros });

/** Kinds of entity rows, each told by a member that only it has. */
const ENTITY_SHAPES = {
  file: z.strictObject({ file: text }),
  table: z.strictObject({ table: text, asOf }),
  logged: z.strictObject({ logged: text, start: date, end: date }),
  sql: z.strictObject({ sql: text, tables: stringMap, asOf }),
  window: z.strictObject({ window }),
} satisfies Record<string, Shape>;
const rows = z.array(shaped('an object or a Map', isObject));
/** Rows, an Arrow table, or an object of one of the kinds. */
const frame = (what: string, shapes: Readonly<Record<string, Shape>>, kinds: string): Shape =>
  z.unknown().superRefine((value, context) => {
    if (value instanceof Uint8Array || (isObject(value) && 'batches' in value && 'schema' in value)) return;
    const kind = isObject(value) ? Object.keys(shapes).find((key) => key in value) : undefined;
    const shape = Array.isArray(value) ? rows : kind === undefined ? undefined : shapes[kind];
    if (shape === undefined) {
      context.addIssue(`expected ${what}, an Arrow table or an object with ${kinds}`);
      return;
    }
    for (const { message, path } of shape.safeParse(value).error?.issues ?? [])
      context.addIssue({ code: 'custom', message, path });
  });
const entities = frame('entity rows', ENTITY_SHAPES, 'file, table, logged, sql or window');
const { file, table, sql } = ENTITY_SHAPES;
const onlineRows = frame('rows', { file, table, sql }, 'file, table or sql');

const engine = z.enum(['duckdb', 'trino', 'auto']).optional();
const historical = z.strictObject({
  features,
  service: named,
  entities,
  fullFeatureNames: flag,
  knownAsOf: flag,
  asOf,
  engine,
  onQuery: callback,
  signal,
});
const saved = z.strictObject({
  ...historical.shape,
  saveAs: z.strictObject({ name: text, to: object, pin: flag }),
});
const trainingSet = z.strictObject({ ...saved.shape, shards: count });
const logged = z.strictObject({ ...window.shape, service: text, signal });
const pull = z.strictObject({
  source: object,
  joinKeys: z.array(text),
  features: z.array(text).optional(),
  timestampField: text,
  createdTimestampField: optionalText,
  start: date,
  end: date,
  signal,
});
const served = z.strictObject({
  response: object,
  entities: rows,
  ...{ entitiesAsText: flag, readKeyValue: callback },
  requestData: z.array(object).optional(),
  requestId: optionalText,
  loggedAtUs: micros,
});
const materialize = z.strictObject({ view: text, start: optionalText, end: optionalText, shards: count, engine });
const waiting = { onProgress: callback, announce: callback };
const batch = { batchSize: count, batchIntervalMs: count };
const fieldMapping = {
  ...{ fields: z.record(z.string(), text).optional(), rest: optionalText, raw: optionalText },
  times: z.record(z.string(), z.enum(RECORD_TIMES)).optional(),
  extraFields: z.enum(['fail', 'ignore']).optional(),
};
const backfill = z.strictObject({
  view: optionalText,
  trainingSet: trainingSet.optional(),
  start: optionalText,
  end: optionalText,
  step: optionalText,
  newestFirst: flag,
  plan: object.optional(),
  concurrency: count,
  windowsPerCommit: count,
  engine,
});
const estimate = z.strictObject({
  ...{ view: optionalText, dataset: optionalText, rows: count, start: optionalText, end: optionalText },
  ...{ entities: count, shards: count },
});
const compact = z.strictObject({
  table: text,
  strategy: z.enum(['binpack', 'sort', 'latest']),
  columns: z.array(text).optional(),
  zOrder: flag,
  where: optionalText,
  dropExpired: flag,
  allowTieChange: flag,
  targetSizeBytes: count,
  maxBytes: count,
  partialProgress: count,
});
const maintain = z.strictObject({
  table: text,
  olderThan: optionalText,
  retainLast: count,
  orphansOlderThan: optionalText,
  allowYoung: flag,
  ...{ deleteOutside: flag, metadataVersions: count },
  dryRun: flag,
});
const schedule = z.strictObject({
  id: optionalText,
  view: optionalText,
  runs: z.enum(['incremental', 'window']).optional(),
  workflow: optionalText,
  input: object.optional(),
  every: optionalText,
  offset: optionalText,
  cron: optionalText,
  timeZone: optionalText,
  overlap: z.enum(['skip', 'buffer-one', 'buffer-all', 'allow-all']).optional(),
  catchUp: optionalText,
  jitter: optionalText,
  paused: flag,
  note: optionalText,
});
const runStatus = z.enum([
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'TERMINATED',
  'TIMED_OUT',
  'CONTINUED_AS_NEW',
]);
const server = { signal, announce: callback };

/** One argument of a method. Those that may be left out come last. */
interface Argument {
  readonly name: string;
  readonly shape: Shape;
}

const argument = (name: string, shape: Shape): Argument => ({ name, shape });
const options = (shape: Readonly<Record<string, Shape>>): Argument =>
  argument('options', z.strictObject(shape).optional());

const id = argument('id', text);

const upsert = z.strictObject({ key: z.array(text), order: text }).optional();
/** What becomes of records that are no rows. */
const badRecords = {
  ...{ badRecords: z.enum(['fail', 'drop']).optional(), error: optionalText, evolveSchema: flag },
  ...{ deadLetters: optionalText, abandonLost: flag, materialize: z.array(text).optional(), upsert },
};
const ingestFiles = z.strictObject({ kind: z.literal('files'), files: z.array(text) });
const ingestTopic = z.strictObject({ kind: z.literal('kafka'), cluster: text, topic: text, group: optionalText });
const kafkaTls = z.strictObject({ ca: optionalText, cert: optionalText, key: optionalText });

/** The arguments of every method, in order. */
export const METHOD_ARGUMENTS = {
  apply: [
    argument(
      'definitions',
      shaped(
        'an array of definitions, or an object of such arrays',
        (value) => Array.isArray(value) || isObject(value),
      ),
    ),
    options({ dryRun: flag, prune: flag, onPlan: callback, leaveSchedules: flag }),
  ],
  materialize: [argument('request', materialize), options({ signal, ...waiting })],
  startMaterialize: [argument('request', materialize)],
  backfill: [argument('request', backfill), options({ signal, ...waiting })],
  startBackfill: [argument('request', backfill)],
  planBackfill: [argument('request', backfill)],
  estimate: [argument('request', estimate)],
  pauseBackfill: [id, options(server)],
  resumeBackfill: [id, options(server)],
  cancelBackfill: [id, options(server)],
  retryBackfill: [id, options(server)],
  changeBackfillConcurrency: [id, argument('concurrency', z.number()), options(server)],
  startIngest: [
    argument(
      'input',
      z.strictObject({
        ...{ table: text, name: optionalText, source: z.discriminatedUnion('kind', [ingestFiles, ingestTopic]) },
        ...{ ...batch, ...fieldMapping, ...badRecords },
      }),
    ),
  ],
  pauseIngest: [id, options(server)],
  resumeIngest: [id, options(server)],
  drainIngest: [id, options(server)],
  changeIngestBatch: [id, argument('batch', z.strictObject(batch)), options(server)],
  ingestStatus: [id, options(server)],
  compact: [argument('input', compact), options({ signal, ...waiting })],
  startCompact: [argument('input', compact)],
  planCompact: [argument('input', compact)],
  maintain: [argument('input', maintain), options({ signal, ...waiting })],
  startMaintain: [argument('input', maintain)],
  planMaintain: [argument('input', maintain)],
  createSchedule: [argument('request', schedule), options(server)],
  schedules: [options(server)],
  schedule: [id, options(server)],
  pauseSchedule: [id, options({ ...server, note: optionalText })],
  resumeSchedule: [id, options({ ...server, note: optionalText })],
  triggerSchedule: [id, options(server)],
  backfillSchedule: [
    id,
    argument(
      'request',
      z.strictObject({ start: text, end: text, overlap: z.enum(['buffer-all', 'allow-all']).optional() }),
    ),
    options(server),
  ],
  deleteSchedule: [id, options(server)],
  runs: [
    argument(
      'request',
      z
        .strictObject({
          ...server,
          view: optionalText,
          table: optionalText,
          status: runStatus.optional(),
          limit: z.int().min(1).optional(),
        })
        .optional(),
    ),
  ],
  run: [id, options({ ...server, runId: optionalText })],
  waitForRun: [id, options({ ...server, runId: optionalText, onProgress: callback })],
  getOnlineFeatures: [
    argument(
      'request',
      z.strictObject({
        features,
        service: named,
        view: named,
        entities: rows,
        entitiesAsText: flag,
        readKeyValue: callback,
        nowUs: micros,
        fullFeatureNames: flag,
        minSnapshots: map.optional(),
        maxStalenessMs: count,
        readTimeoutMs: count,
        includeExpired: flag,
        signal,
      }),
    ),
  ],
  onlineWriteBatch: [
    argument('request', z.strictObject({ view: text, rows: onlineRows, pushed: flag, key: optionalText, signal })),
  ],
  push: [
    argument(
      'request',
      z.strictObject({
        source: text,
        rows: onlineRows,
        to: z.enum(['online', 'offline', 'online_and_offline']).optional(),
        key: optionalText,
        signal,
      }),
    ),
  ],
  teardownOnline: [options({ views: z.array(text).optional(), dryRun: flag })],
  getHistoricalFeatures: [argument('request', historical)],
  openHistoricalFeatures: [argument('request', historical)],
  explainHistoricalFeatures: [argument('request', historical)],
  saveDataset: [argument('request', saved)],
  saveTrainingSet: [argument('request', trainingSet), options(waiting)],
  startTrainingSet: [argument('request', trainingSet)],
  replayDataset: [argument('name', text), options({ signal })],
  datasets: [],
  tables: [],
  views: [],
  view: [argument('name', text)],
  services: [],
  entities: [],
  pullAll: [argument('request', pull)],
  pullLatest: [argument('request', pull)],
  openFeatureLogger: [
    argument('service', text),
    options({
      sampleRate: count,
      batchRows: count,
      flushIntervalMs: count,
      bufferRows: count,
      onFull: z.enum(['drop', 'error']).optional(),
      onError: callback,
    }),
  ],
  writeLoggedFeatures: [
    argument('service', text),
    argument('served', z.array(served)),
    options({ runKey: optionalText }),
  ],
  loggedFeatures: [argument('request', logged)],
  compareLoggedFeatures: [
    argument('request', z.strictObject({ ...logged.shape, examples: count, partRows: count, onProgress: callback })),
  ],
  createTable: [
    argument('name', text),
    argument(
      'table',
      z.strictObject({ schema: object, partition: optionalText, formatVersion: z.literal([2, 3]).optional() }),
    ),
  ],
  appendFile: [
    argument('name', text),
    argument('file', text),
    options({ create: flag, partition: optionalText, format: optionalText, signal }),
  ],
  sinkFiles: [
    argument('name', text),
    argument('inputs', z.array(z.union([text, z.strictObject({ name: text, stream: bytes })]))),
    options({
      ...{ name: optionalText, ...batch, create: flag, partition: optionalText },
      ...{ ...fieldMapping, transform: callback },
      ...badRecords,
      ...{ follow: flag, onCommit: callback, onProgress: callback, onNotice: callback, signal },
    }),
  ],
  sinkKafka: [
    argument('name', text),
    argument(
      'options',
      z.strictObject({
        ...{ brokers: z.array(text), topic: text, tls: z.union([z.boolean(), kafkaTls]).optional() },
        sasl: z.strictObject({ mechanism: z.enum(SASL_MECHANISMS), username: text, password: text }).optional(),
        ...{ name: optionalText, group: optionalText, until: z.literal('end').optional() },
        ...{ batchSize: count, batchIntervalMs: count, timeoutMs: count },
        ...{ ...fieldMapping, transform: callback },
        ...badRecords,
        ...{ onCommit: callback, onProgress: callback, onNotice: callback, signal },
      }),
    ),
  ],
  replayDeadLetters: [
    argument('name', text),
    options({
      ...{ ...fieldMapping, transform: callback },
      ...{ table: optionalText, batchSize: count, dryRun: flag, abandonLost: flag, upsert },
      ...{ onBatch: callback, onNotice: callback, signal },
    }),
  ],
  deleteRows: [argument('name', text), argument('where', text), options({ dryRun: flag, signal })],
  upgradeTable: [argument('name', text), argument('formatVersion', z.literal([2, 3]))],
  moveTable: [
    argument('name', text),
    argument(
      'options',
      z.strictObject({ to: text, location: optionalText, dropOld: flag, onProgress: callback, signal: signal }),
    ),
  ],
} satisfies Record<string, readonly Argument[]>;

/** A method that takes arguments as {@link METHOD_ARGUMENTS} has them. */
export type MethodName = keyof typeof METHOD_ARGUMENTS;

/** Methods whose answer has to be closed. Its signal goes on acting on what is read of it. */
export const OPENING_METHODS: ReadonlySet<MethodName> = new Set([
  'openHistoricalFeatures',
  'pullAll',
  'pullLatest',
  'openFeatureLogger',
  'loggedFeatures',
  'planMaintain',
] as const);

/** Position of a method's argument that takes a signal. */
export const SIGNAL_ARGUMENTS: ReadonlyMap<MethodName, number> = new Map(
  Object.entries({
    materialize: 1,
    backfill: 1,
    pauseBackfill: 1,
    resumeBackfill: 1,
    cancelBackfill: 1,
    retryBackfill: 1,
    changeBackfillConcurrency: 2,
    pauseIngest: 1,
    resumeIngest: 1,
    drainIngest: 1,
    changeIngestBatch: 2,
    ingestStatus: 1,
    compact: 1,
    maintain: 1,
    createSchedule: 1,
    schedules: 0,
    schedule: 1,
    pauseSchedule: 1,
    resumeSchedule: 1,
    triggerSchedule: 1,
    backfillSchedule: 2,
    deleteSchedule: 1,
    runs: 0,
    run: 1,
    waitForRun: 1,
    getOnlineFeatures: 0,
    onlineWriteBatch: 0,
    push: 0,
    getHistoricalFeatures: 0,
    ...{ openHistoricalFeatures: 0, pullAll: 0, pullLatest: 0, loggedFeatures: 0 },
    explainHistoricalFeatures: 0,
    saveDataset: 0,
    saveTrainingSet: 0,
    replayDataset: 1,
    compareLoggedFeatures: 0,
    appendFile: 2,
    sinkFiles: 2,
    sinkKafka: 1,
    replayDeadLetters: 1,
    deleteRows: 2,
    moveTable: 1,
  }) as [MethodName, number][],
);

const PROJECT_OPTIONS = z.strictObject({
  cwd: optionalText,
  configFile: optionalText,
  config: object.optional(),
  fileFolders: z.array(text).optional(),
  createRoots: flag,
  definitions: z.array(object).optional(),
});

/** @throws INVALID_ARGUMENT naming each field of the wrong shape */
export function checkArguments(method: MethodName, given: readonly unknown[]): void {
  const known: readonly Argument[] = METHOD_ARGUMENTS[method];
  const problems = known.flatMap(({ name, shape }, index) => problemsOf(name, shape, given[index]));
  refuse(method, problems);
}

/** @throws INVALID_ARGUMENT */
export function checkProjectOptions(given: unknown): void {
  refuse('createMoraine', problemsOf('options', PROJECT_OPTIONS, given));
}

function problemsOf(name: string, shape: Shape, given: unknown): readonly string[] {
  const issues = shape.safeParse(given).error?.issues ?? [];
  return issues.map(({ path, message }) => `${[name, ...path].join('.')}: ${message}`);
}

function refuse(method: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const message = `The call of ${method} is not right: ${problems.join('; ')}. Correct what the message names.`;
  throw new MoraineError('INVALID_ARGUMENT', message, { details: { method, problems } });
}
