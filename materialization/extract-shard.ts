/** Extraction: the newest rows of a plan's shard as Parquet files of the online table, staged in one manifest. */
import { randomUUID } from 'node:crypto';
import { bucketSql, type Connection, columnAlias, type ParquetWrite, readableScanSql } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { chooseLatestMethod, type LatestRelation, newestFirst, prepareLatestPerEntity } from '../features/index.js';
import {
  currentSchema,
  type DataFile,
  defaultSpec,
  type NestedField,
  type PrimitiveType,
  type Schema,
} from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import {
  collectFewRows,
  type FewRows,
  isFew,
  ONLINE_COLUMNS,
  onlineColumns,
  sharedSpecOf,
  stageFewRows,
  storedSchema,
} from '../online/index.js';
import type { ReduceContext } from '../reduction/index.js';
import { type OpenFiles, whileReading } from '../scans/index.js';
import { sizeOfFiles, stageRows } from '../staging/index.js';
import { openPinnedTable, stageManifest, type Table } from '../tables/index.js';
import type { MaterializationDeps } from './deps.js';
import {
  type BucketKey,
  type BucketSelection,
  bucketRangeCondition,
  latestRequest,
  onlineRowsSql,
  sourceRelation,
  winnersByTimeSql,
} from './extract-sql.js';
import { faultPoint } from './fault-point.js';
import { openPlanned } from './open-files.js';
import { type MaterializationPlan, planSize } from './plan.js';
import { readPlan } from './read-plan.js';
import { bucketKeyOf, bucketsOf, openReducedGroups, openSourceGroups, type RowGroup } from './row-groups.js';
import type { Shard } from './shards.js';

/** The result of one shard: a few hundred bytes. */
export interface ShardResult {
  /** Null: the shard has no rows. */
  readonly manifestLocation: string | null;
  readonly rows: bigint;
  readonly files: number;
  readonly bytes: bigint;
}

export interface ExtractOptions extends ReduceContext {
  /** Called when a step begins. */
  readonly onProgress?: ((step: 'reading' | 'writing' | 'staging') => void) | undefined;
}

export interface ExtractShardOptions extends ExtractOptions {
  /** Lists of reduced rows, of all parts of the plan: they stand for the source, which is not read. Absent: the shard reads the source. */
  readonly reduced?: readonly Location[] | undefined;
}

/**
 * Extracts one shard. May be repeated, killed and run twice at once: every attempt writes files of its own names, and only
 * the commit makes any of them visible.
 * @throws INVALID_ARGUMENT for a shard that the plan does not have; DATA_FILE_CORRUPT, FILE_NOT_FOUND naming the file;
 * ENGINE_OUT_OF_MEMORY, STORAGE_UNAVAILABLE, CANCELLED
 */
export async function extractShard(
  deps: Pick<MaterializationDeps, 'io' | 'engine' | 'reach'>,
  planLocation: string,
  shardIndex: number,
  options: ExtractShardOptions = {},
): Promise<ShardResult> {
  const plan = await readPlan(deps.io, planLocation);
  const shard = plan.shards[shardIndex];
  if (shard === undefined) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The plan ${planLocation} has ${plan.shards.length} shards and no number ${shardIndex}.`,
    );
  }
  await deps.reach?.(plan.source.table);
  const online = await openPinnedTable(deps.io, plan.online, planLocation);
  const source = await openPinnedTable(deps.io, plan.source, planLocation);
  const reduced = options.reduced === undefined ? null : { locations: options.reduced, shard: shardIndex };
  const attemptId = `${plan.runKey.slice(0, 12)}-${shardIndex}-${randomUUID()}`;
  const files = await deps.engine.withConnection(
    (connection) => writeRows(connection, { plan, shard, source, online, attemptId, reduced }, options),
    { signal: options.signal },
  );
  faultPoint('after-data-files');
  const size = sizeOfFiles(files);
  if (files.length === 0) return { manifestLocation: null, ...size };
  options.onProgress?.('staging');
  faultPoint('before-manifest-staged');
  const manifest = await stageManifest(online, files, attemptId);
  faultPoint('after-manifest-staged');
  return { manifestLocation: manifest.manifestPath, ...size };
}

interface ShardContext {
  readonly plan: MaterializationPlan;
  readonly shard: Shard;
  readonly source: Table;
  readonly online: Table;
  readonly attemptId: string;
  /** Null: the shard reads the source. */
  readonly reduced: { readonly locations: readonly Location[]; readonly shard: number } | null;
}

async function writeRows(
  connection: Connection,
  context: ShardContext,
  options: ExtractOptions,
): Promise<readonly DataFile[]> {
  const { plan, online, attemptId } = context;
  const { metadata } = online;
  const schema = currentSchema(metadata);
  const keyField = schema.fields.find((field) => field.name === plan.online.keyColumn);
  options.onProgress?.('reading');
  const parts = await selectParts(connection, context, schema);
  try {
    options.onProgress?.('writing');
    faultPoint('before-data-file');
    const rows = {
      namePrefix: attemptId,
      sortBy: keyField === undefined ? [] : [keyField.id],
      sortOrderId: metadata.defaultSortOrderId,
    };
    return await whileReading(connection, parts.opened, async () => {
      const select = parts.selects.join(' UNION ALL ');
      const few = await fewRows(connection, context, parts, { select, schema });
      if (few === null) return await stageRows(connection, online, { ...rows, select, ...collecting(parts) });
      try {
        return await stageFewRows(connection, online, few, rows);
      } finally {
        await few.release();
      }
    });
  } finally {
    for (const relation of parts.relations) await relation.release();
  }
}

interface SelectedParts {
  readonly selects: readonly string[];
  readonly relations: readonly LatestRelation[];
  readonly opened: readonly OpenFiles[];
}

/** Rows of one shard that are collected before they are written. */
const MAX_COLLECTED_ROWS = 1_000_000n;

/** Rows that are known to be few, and so fewer than those they are found among, are collected before they are written. */
function collecting({ selects, relations }: SelectedParts): Pick<ParquetWrite, 'collected'> {
  if (relations.length < selects.length) return {};
  if (relations.every(({ method }) => method === 'collect')) return { collected: 'already' };
  const counts = relations.map(({ rows }) => rows);
  const areFew =
    counts.every((rows) => rows !== null) && counts.reduce((sum, rows) => sum + rows, 0n) <= MAX_COLLECTED_ROWS;
  return areFew ? { collected: 'first' } : {};
}

/** The rows, if they are known to be few and only added; they are then collected. */
async function fewRows(
  connection: Connection,
  { plan, online }: ShardContext,
  { selects, relations }: SelectedParts,
  { select, schema }: { readonly select: string; readonly schema: Schema },
): Promise<FewRows | null> {
  const { metadata } = online;
  if (plan.rebuild !== null || sharedSpecOf(metadata) === undefined) return null;
  const found = relations.length < selects.length ? [null] : relations.map(({ rows }) => rows);
  const counted = found.reduce<bigint | null>((sum, rows) => (sum === null || rows === null ? null : sum + rows), 0n);
  if (!isFew(planSize(plan).rows) && (counted === null || !isFew(counted))) return null;
  return await collectFewRows(connection, select, schema.fields, defaultSpec(metadata));
}

/** The statements whose union the shard writes: appended rows, rebuilt rows, pushed rows that stay. */
async function selectParts(
  connection: Connection,
  context: ShardContext,
  onlineSchema: Schema,
): Promise<SelectedParts> {
  const { plan, shard, source, online, reduced } = context;
  const key = bucketKeyOf(plan);
  const { rebuild } = plan;
  const selects: string[] = [];
  const relations: LatestRelation[] = [];
  const opened: OpenFiles[] = [];
  const groups =
    reduced === null
      ? await openSourceGroups(connection, source, plan)
      : await openReducedGroups(connection, online.io, plan, reduced);
  for (const group of groups) {
    const buckets: BucketSelection = { ...shard, ...bucketsOf(plan, group) };
    opened.push(...group.opened);
    if (group.keep === 'newest') {
      const relation = await whileReading(connection, group.opened, () => latestRows(connection, key, group, buckets));
      relations.push(relation);
      selects.push(onlineRowsSql(onlineSchema, key, relation.select, buckets));
    } else {
      selects.push(onlineRowsSql(onlineSchema, key, winnersByTimeSql(key.view, await group.relation()), buckets));
    }
  }
  if (rebuild !== null && rebuild.pushedFiles.length > 0) {
    const selection: BucketSelection = { ...shard, only: rebuild.buckets ?? undefined };
    const pushed = await openPlanned(connection, online, rebuild.pushedFiles, plan.online.snapshotId);
    opened.push(pushed);
    selects.push(await pushedRowsSql(connection, online, plan, pushed, selection));
  }
  if (selects.length === 0) {
    const none = await sourceRelation(connection, currentSchema(source.metadata), [], key);
    selects.push(onlineRowsSql(onlineSchema, key, none));
  }
  return { selects, relations, opened };
}

async function latestRows(
  connection: Connection,
  key: BucketKey,
  group: RowGroup,
  buckets: BucketSelection,
): Promise<LatestRelation> {
  // The bucket of an entity is cheap, that of every row is not: rows are filtered only where that bounds memory.
  const isPart = buckets.firstBucket > 0 || buckets.lastBucket < key.buckets - 1;
  const relation = await group.relation(isPart ? buckets : undefined);
  const method = chooseLatestMethod({ rows: group.rows, features: key.view.features.length });
  return prepareLatestPerEntity(connection, latestRequest(key.view, relation), method, group.rows);
}

/**
 * Rows of the online table itself that clients pushed. Of those that tie in entity and event time the last one pushed wins, and no
 * other is kept: the rebuild gives all of them one sequence number.
 */
async function pushedRowsSql(
  connection: Connection,
  online: Table,
  plan: MaterializationPlan,
  opened: OpenFiles,
  buckets: BucketSelection,
): Promise<string> {
  const schema = currentSchema(online.metadata);
  const { lookup, eventTimestamp, createdTimestamp, features } = onlineColumns(
    schema,
    plan.view.joinKeys.map(({ name }) => name),
    plan.view.name,
  );
  const pushed = schema.fields.find((field) => field.name === ONLINE_COLUMNS.pushed);
  if (pushed === undefined)
    throw new MoraineError('METADATA_CORRUPT', `The online table of ${plan.view.name} lost a column.`);
  const column = ({ id }: NestedField): string => columnAlias(id);
  const bucket = bucketSql(lookup.type as PrimitiveType, column(lookup), plan.online.buckets);
  const order = newestFirst(
    {
      timestamp: column(eventTimestamp),
      created: column(createdTimestamp),
      sequenceNumber: 'seq',
      features: features.map((field) => ({ sql: column(field), type: field.type })),
    },
    { sameTime: true },
  );
  const extras = { sequenceNumber: 'seq' };
  const former = formerTimes(online, [eventTimestamp, createdTimestamp]);
  const fields = [...schema.fields, ...former.map((time) => time.before)];
  const rows = await readableScanSql(connection, { ...opened, schema: { ...schema, fields }, naming: 'id', extras });
  const converted = former.map(({ field, before }) => {
    const us = `epoch_us(${column(before)})`;
    const sql = field.type.kind === 'timestamptz' ? `make_timestamptz(${us})` : `make_timestamp(${us})`;
    return `coalesce(${column(field)}, ${sql}) AS ${column(field)}`;
  });
  const relation = converted.length === 0 ? rows : `(SELECT * REPLACE (${converted.join(', ')}) FROM ${rows})`;
  return [
    `SELECT ${schema.fields.map(column).join(', ')} FROM ${relation}`,
    `WHERE ${column(pushed)} AND ${bucketRangeCondition(bucket, plan.online.buckets, buckets)}`,
    `QUALIFY row_number() OVER (PARTITION BY ${column(lookup)}, ${column(eventTimestamp)} ORDER BY ${order.join(', ')}) = 1`,
  ].join(' ');
}

/** A column of times, and the one of another type that had its name when rows were written: with a zone or without one, the times are the same. */
interface FormerTime {
  readonly field: NestedField;
  readonly before: NestedField;
}

function formerTimes({ metadata }: Table, fields: readonly NestedField[]): readonly FormerTime[] {
  const stored = storedSchema(metadata).fields;
  return fields.flatMap((field): readonly FormerTime[] => {
    const before = stored.find(({ name }) => name === field.name);
    return before === undefined || before.id === field.id ? [] : [{ field, before }];
  });
}
