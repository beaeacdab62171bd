/** What the joins of a retrieval will be, as far as metadata tells: the files that can match, the columns that are read, the method. */
import { type BoundExpression, type DataFile, deserializeValue, type NestedField } from '../../iceberg/index.js';
import { type PinnedSource, planSource } from '../../scans/index.js';
import type { ScanStats } from '../../tables/index.js';
import { entitiesAtMost } from '../views/entities-at-most.js';
import type { ResolvedColumn, ResolvedView } from '../views/resolve-view.js';
import { entityTimestamp } from './entity-frame.js';
import type { HistoricalDeps } from './historical-features.js';
import { timeConditions } from './join-bounds.js';
import { chooseJoinMethod } from './join-method.js';
import type { JoinMethod } from './point-in-time-sql.js';
import { planRetrieval, type RetrievalRequest } from './retrieval-plan.js';
import { estimatedBytes, featuresToRead, unitOf, type ViewJoin } from './view-join.js';

/** The first and last time of rows, in microseconds. */
export interface TimesUs {
  readonly lowest: bigint;
  readonly highest: bigint;
}

/** Entity rows that are not read. */
export interface ExpectedFrame {
  /** Rows that one shard joins. */
  readonly rows: number;
  /** Their times, where they are known. */
  readonly timesUs?: TimesUs | undefined;
  /** Entities of the feature rows, where they are known better than from the bounds of the keys. */
  readonly entities?: number | undefined;
}

/** One view's join before anything is read. */
export interface ExpectedJoin {
  readonly alias: string;
  readonly view: ResolvedView;
  readonly source: PinnedSource;
  /** Columns of the entity rows that stand for a join key, by its name. */
  readonly joinKeyMap: ReadonlyMap<string, string>;
  /** Files that can match. */
  readonly files: readonly DataFile[];
  readonly stats: ScanStats;
  /** Features that the join reads, and those that it returns. */
  readonly read: readonly ResolvedColumn[];
  readonly returned: readonly ResolvedColumn[];
  /** The most entities that the files can have. */
  readonly entities: number;
  readonly method: JoinMethod;
}

/**
 * The joins of a retrieval, in the order of its views. Only times prune here: which keys the entity rows have, no metadata says.
 * @throws as `getHistoricalFeatures`, but for what is wrong with the entity rows
 */
export async function expectJoins(
  deps: HistoricalDeps,
  request: RetrievalRequest,
  frame: ExpectedFrame,
): Promise<readonly ExpectedJoin[]> {
  const { views } = await planRetrieval(deps, request);
  const expected: ExpectedJoin[] = [];
  for (const { requested, join } of views) {
    expected.push({ alias: requested.alias, ...(await expectJoin(join, frame, deps.engine.memoryLimitBytes)) });
  }
  return expected;
}

async function expectJoin(
  join: ViewJoin,
  frame: ExpectedFrame,
  memoryLimitBytes: number,
): Promise<Omit<ExpectedJoin, 'alias'>> {
  const { view, source, selected, joinKeyMap } = join;
  const scale = scaleOf(view);
  const plan = await planSource(source, timeFilter(view, frame));
  const files = plan.files.map(({ file }) => file);
  const entities = frame.entities ?? Number(entitiesAtMost(files, source.schema, view.joinKeys));
  const shape = {
    frameRows: frame.rows,
    featureRows: files.reduce((sum, { recordCount }) => sum + Number(recordCount), 0),
    entities: Math.max(1, entities),
    mostFrameRows: Math.ceil(frame.rows / Math.max(1, entities)),
    frequentPairs: 0,
    keyCount: view.joinKeys.length,
    ttlUs: view.ttlUs,
    spanUs: (frame.timesUs === undefined ? spanOf(files, view.timestamp) / scale : spanOfTimes(frame, view)) ?? 0n,
    knownAsOf: join.knownAsOf,
    nestedFeatures: false,
    rowBytes: selected.reduce((sum, { type }) => sum + estimatedBytes(type), 0),
    memoryLimitBytes,
  };
  return {
    view,
    source,
    joinKeyMap,
    files,
    stats: plan.stats,
    read: featuresToRead(join).flatMap((index) => view.features[index] ?? []),
    returned: selected,
    entities,
    method: join.method ?? chooseJoinMethod(shape),
  };
}

/** Counts of a view's own unit in a microsecond. */
const scaleOf = ({ timestamp }: ResolvedView): bigint => (unitOf(timestamp.type) === 'us' ? 1n : 1000n);

/** The rows of a view that are in reach of entity rows of some times; undefined: all of them. */
export function timeFilter(
  view: ResolvedView,
  { timesUs }: Pick<ExpectedFrame, 'timesUs'>,
): BoundExpression | undefined {
  if (timesUs === undefined) return undefined;
  const { timestamp, ttlUs } = view;
  const scale = scaleOf(view);
  const lowest = ttlUs === null ? null : (timesUs.lowest - ttlUs) * scale;
  const children = timeConditions(timestamp, { lowest, highest: timesUs.highest * scale });
  return { op: 'and', children };
}

const spanOfTimes = ({ timesUs }: ExpectedFrame, { ttlUs }: ResolvedView): bigint =>
  timesUs === undefined ? 0n : timesUs.highest - timesUs.lowest + (ttlUs ?? 0n);

/** Time between the bounds of a column over files, in its own unit; 0 where a file does not say. */
function spanOf(files: readonly DataFile[], { sourceFieldId, type }: ResolvedColumn): bigint {
  const range = timeRange(files, { fieldId: sourceFieldId, type });
  return range === undefined ? 0n : range.highest - range.lowest;
}

/** The times of entity rows, from the bounds of their files; undefined: they are not known, or counted in another unit. */
export function entityTimesUs(files: readonly DataFile[], fields: readonly NestedField[]): TimesUs | undefined {
  const { id: fieldId, type } = entityTimestamp(fields);
  const isInMicroseconds = type.kind === 'timestamp' || type.kind === 'timestamptz';
  return isInMicroseconds ? timeRange(files, { fieldId, type }) : undefined;
}

/** The first and last time of a column over files, in its own unit; undefined where a file does not say. */
function timeRange(
  files: readonly DataFile[],
  { fieldId, type }: { readonly fieldId: number; readonly type: ResolvedColumn['type'] },
): { readonly lowest: bigint; readonly highest: bigint } | undefined {
  let [lowest, highest]: (bigint | undefined)[] = [];
  for (const { lowerBounds, upperBounds } of files) {
    const [lower, upper] = [lowerBounds?.get(fieldId), upperBounds?.get(fieldId)];
    if (lower === undefined || upper === undefined) return undefined;
    const [low, high] = [deserializeValue(type, lower), deserializeValue(type, upper)];
    if (typeof low !== 'bigint' || typeof high !== 'bigint') return undefined;
    if (lowest === undefined || low < lowest) lowest = low;
    if (highest === undefined || high > highest) highest = high;
  }
  return lowest === undefined || highest === undefined ? undefined : { lowest, highest };
}
