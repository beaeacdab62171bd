/** Scans of a table's snapshot: planned, and opened before the first row. */
import type { Connection, Scan } from '../engine/index.js';
import type { BoundExpression, Schema, Snapshot } from '../iceberg/index.js';
import { planFiles, type ScanPlan, type ScanStats, type Table } from '../tables/index.js';
import { fileToOpen, openFiles } from './open-files.js';

/** A source table at the snapshot to read. */
export interface PinnedSource {
  readonly table: Table;
  readonly snapshot: Snapshot | null;
  /** The schema to read it with. */
  readonly schema: Schema;
}

/** Files that are ready to be scanned, and what planning found. */
export interface OpenedScan {
  /** The arguments of `scanSql` besides the schema. */
  readonly scan: Pick<Scan, 'files' | 'filter' | 'layouts' | 'nameMapping' | 'deletes'>;
  /** Rows of the files that were not skipped. */
  readonly rows: number;
  readonly stats: ScanStats;
}

const NOTHING: ScanStats = { manifestsTotal: 0, manifestsRead: 0, filesTotal: 0, filesSkipped: 0, bytes: 0n };

/** A scan of no file at all, for when it is known that no row can match. */
export const EMPTY_SCAN: OpenedScan = { scan: { files: [], layouts: new Map() }, rows: 0, stats: NOTHING };

/** Plans the files of a snapshot that may hold matching rows. Needs no connection. */
export function planSource(source: PinnedSource, filter?: BoundExpression): Promise<ScanPlan> {
  const { table, snapshot, schema } = source;
  return planFiles(table, { snapshot, schema, appliesDeletes: true, ...(filter === undefined ? {} : { filter }) });
}

/**
 * Opens planned files on a connection that may read them.
 * @throws as {@link openFiles}
 */
export async function openScan(
  connection: Connection,
  source: PinnedSource,
  plan: ScanPlan,
  filter?: BoundExpression,
): Promise<OpenedScan> {
  const files = await openFiles(connection, source.table, plan.files.map(fileToOpen));
  return {
    scan: filter === undefined ? files : { ...files, filter },
    rows: plan.files.reduce((sum, { file }) => sum + Number(file.recordCount), 0),
    stats: plan.stats,
  };
}
