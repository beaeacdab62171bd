/** What the joins of a retrieval will be, as far as metadata tells: the files that can match, the columns that are read, the method. */
import { type DataFile, deserializeValue } from '../../iceberg/index.js';
import { type PinnedSource, planSource } from '../../scans/index.js';
import type { ScanStats } from '../../tables/index.js';
import { entitiesAtMost } from '../views/entities-at-most.js';
import type { ResolvedColumn, ResolvedView } from '../views/resolve-view.js';
import type { HistoricalDeps } from './historical-features.js';
import { timeConditions } from './join-bounds.js';
import { chooseJoinMethod } from './join-method.js';
import type { JoinMethod } from './point-in-time-sql.js';
import { planRetrieval, type RetrievalRequest } from './retrieval-plan.js';
import { estimatedBytes, featuresToRead, unitOf, type ViewJoin } from './view-join.js';

/** Entity rows that are not read. */
export interface ExpectedFrame {
  /** Rows that one shard joins. */
  readonly rows: number;
  /** Their first and last time in microseconds, where it is known. */
  readonly timesUs?: { readonly lowest: bigint; readonly highest: bigint } | undefined;
  /** Entities of the feature rows, where they are known better than from the bounds of the keys. */
  readonly entities?: number | undefined;
}

/** One view's join before anything is read. */
export interface ExpectedJoin {
  readonly alias: string;
  readonly view: ResolvedView;
  readonly source: PinnedSource;
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
  const { view, source, selected } = join;
  const scale = unitOf(view.timestamp.type) === 'us' ? 1n : 1000n;
  const plan = await planSource(source, timeFilter(view, frame, scale));
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
    files,
    stats: plan.stats,
    read: featuresToRead(join).flatMap((index) => view.features[index] ?? []),
    returned: selected,
    entities,
    method: join.method ?? chooseJoinMethod(shape),
  };
}

function timeFilter({ timestamp, ttlUs }: ResolvedView, { timesUs }: ExpectedFrame, scale: bigint) {
  if (timesUs === undefined) return undefined;
  const lowest = ttlUs === null ? null : (timesUs.lowest - ttlUs) * scale;
  const children = timeConditions(timestamp, { lowest, highest: timesUs.highest * scale });
  return { op: 'and' as const, children };
}

const spanOfTimes = ({ timesUs }: ExpectedFrame, { ttlUs }: ResolvedView): bigint =>
  timesUs === undefined ? 0n : timesUs.highest - timesUs.lowest + (ttlUs ?? 0n);

/** Time between the bounds of a column over files, in its own unit; 0 where a file does not say. */
function spanOf(files: readonly DataFile[], { sourceFieldId, type }: ResolvedColumn): bigint {
  const range = timeRange(files, { fieldId: sourceFieldId, type });
  return range === undefined ? 0n : range.highest - range.lowest;
}

/** The first and last time of a column over files, in its own unit; undefined where a file does not say. */
export function timeRange(
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
