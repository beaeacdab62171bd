/** The files of a source at one of its snapshots. */
import type { ResolvedColumn } from '../features/index.js';
import { currentSchema, snapshotById } from '../iceberg/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';
import { eventTimeColumn, eventTimeFilter } from './event-time-filter.js';
import type { Interval } from './interval.js';
import { NO_SNAPSHOT } from './source-state.js';

/** Files that may hold rows with event times in the interval, each with its deletes at the snapshot. */
export async function filesAt(
  source: Table,
  snapshotId: bigint,
  timestamp: Pick<ResolvedColumn, 'sourceFieldId' | 'sourceColumn'>,
  interval: Interval,
): Promise<readonly PlannedFile[]> {
  if (snapshotId === NO_SNAPSHOT) return [];
  const schema = currentSchema(source.metadata);
  const column = eventTimeColumn(schema, timestamp.sourceFieldId);
  const filter = eventTimeFilter(column, timestamp.sourceColumn, interval);
  const snapshot = snapshotById(source.metadata, snapshotId);
  const request = { snapshot, schema, appliesDeletes: true, ...(filter === undefined ? {} : { filter }) };
  return (await planFiles(source, request)).files;
}
