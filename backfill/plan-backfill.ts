/** Planning a backfill: what of the source each window would read, without writing anything. */
import type { ResolvedColumn, ResolvedView } from '../features/index.js';
import { currentSchema, type TableMetadata } from '../iceberg/index.js';
import {
  type Coverage,
  coverageWithin,
  effectiveProgress,
  eventTimeColumn,
  filesAt,
  type MaterializationDeps,
  NO_SNAPSHOT,
  resolveSource,
  uncovered,
} from '../materialization/index.js';
import { changedParts, fingerprintDefinition, onlineLayout } from '../online/index.js';
import type { Table } from '../tables/index.js';
import { estimateSeconds } from './estimate.js';
import type { BackfillPlan, ViewBackfillPlan } from './plan.js';
import { windowSizes } from './window-sizes.js';
import { requireWindowRange, type WindowRange, windowAt, windowCount } from './windows.js';

export interface BackfillRequest extends WindowRange {
  readonly view: string;
  readonly order?: BackfillPlan['order'];
  /** Schedules of the view, if a Temporal server was asked. */
  readonly schedules?: readonly string[];
}

/** @throws INVALID_ARGUMENT (the range, a view that is not online), FEATURE_VIEW_NOT_FOUND, TABLE_NOT_FOUND */
export async function planBackfill(deps: MaterializationDeps, request: BackfillRequest): Promise<ViewBackfillPlan> {
  const { startUs, endUs, stepUs, order = 'oldest-first', schedules } = request;
  const range = { startUs, endUs, stepUs };
  requireWindowRange(range);
  const { view, source } = await resolveSource(deps, request.view);
  const sizes = await sourceSizes(source, source.metadata.currentSnapshotId, view.timestamp, range);
  const online = await onlineMetadata(deps, view);
  return {
    version: 1,
    view: view.name,
    ...range,
    order,
    source: {
      table: view.sourceTable,
      tableUuid: source.metadata.tableUuid,
      snapshotId: source.metadata.currentSnapshotId,
    },
    definition: definitionDigest(view),
    ...sizes,
    covered: coveredWindows(online === null ? [] : coverageOf(online, view), range),
    schedules: schedules ?? null,
    estimate: estimateSeconds(online, sizes.windows),
  };
}

/** The files that each window reads of a table at a snapshot. @param snapshotId null: it has none */
export async function sourceSizes(
  source: Table,
  snapshotId: bigint | null,
  timestamp: Pick<ResolvedColumn, 'sourceFieldId' | 'sourceColumn'>,
  range: WindowRange,
): Promise<Pick<BackfillPlan, 'windows' | 'files'>> {
  const column = eventTimeColumn(currentSchema(source.metadata), timestamp.sourceFieldId);
  const files = await filesAt(source, snapshotId ?? NO_SNAPSHOT, timestamp, range);
  return { windows: windowSizes(files, column, range), files: files.length };
}

/** Digest of what of the view decides on its rows. */
export function definitionDigest(view: ResolvedView): string {
  const { keys, source, mapping, features } = fingerprintDefinition(view, '');
  return [keys, source, mapping, features].join('-');
}

/** The times already read under the view's current definition; times read under another one are read again. */
function coverageOf(online: TableMetadata, view: ResolvedView): Coverage {
  const { progress } = effectiveProgress(online);
  if (progress === null) return [];
  const { definition, coverage } = progress;
  return changedParts(definition, fingerprintDefinition(view, definition.partitioning)).length === 0 ? coverage : [];
}

/** The online table as it is; planning makes none. */
async function onlineMetadata(deps: MaterializationDeps, view: ResolvedView): Promise<TableMetadata | null> {
  const { identifier } = onlineLayout(view, deps.settings);
  if (!(await deps.catalog.tableExists(identifier))) return null;
  return (await deps.catalog.loadTable(identifier)).metadata;
}

/** How many windows are covered, wholly and in part. */
export function coveredWindows(coverage: Coverage, range: WindowRange): BackfillPlan['covered'] {
  let [wholly, partly] = [0, 0];
  for (let index = 0; index < windowCount(range); index++) {
    const window = windowAt(range, index);
    if (coverageWithin(coverage, window).length === 0) continue;
    if (uncovered(coverage, window).length === 0) wholly += 1;
    else partly += 1;
  }
  return { wholly, partly };
}
