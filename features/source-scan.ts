/** Opening the files of a source table's snapshot for a scan: planned, resolved, looked at, and their deletes read, before the first row. */
import { type Connection, checkFiles, readableFormat, type Scan } from '../engine/index.js';
import { type BoundExpression, nameMapping, type Schema, type Snapshot } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { type PlannedFile, planFiles, type ScanPlan, type ScanStats, type Table } from '../tables/index.js';
import { deletesOf } from './file-deletes.js';

/** A source table at the snapshot to read. */
export interface PinnedSource {
  readonly table: Table;
  readonly snapshot: Snapshot | null;
  /** The schema to read it with. */
  readonly schema: Schema;
}

/** Files that are ready to be scanned, and what planning found. */
export interface OpenedScan {
  /** What `scanSql` needs besides the schema. */
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
 * @throws UNSUPPORTED_FEATURE for a file that is neither Parquet nor Avro; FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT,
 * LOCATION_REFUSED
 */
export async function openScan(
  connection: Connection,
  io: FileIO,
  source: PinnedSource,
  plan: ScanPlan,
  filter?: BoundExpression,
): Promise<OpenedScan> {
  const files = await Promise.all(plan.files.map((file) => openable(io, file)));
  const layouts = await checkFiles(connection, files);
  const { metadata } = source.table;
  const mapping = nameMapping(metadata);
  return {
    scan: {
      files,
      layouts,
      ...(mapping === undefined ? {} : { nameMapping: mapping }),
      ...(filter === undefined ? {} : { filter }),
      ...(await deletesOf(connection, { io, metadata }, files, layouts)),
    },
    rows: plan.files.reduce((sum, { file }) => sum + Number(file.recordCount), 0),
    stats: plan.stats,
  };
}

async function openable(io: FileIO, planned: PlannedFile) {
  const { filePath, recordCount, fileSizeInBytes, firstRowId } = planned.file;
  const format = readableFormat(planned.file);
  const lineage = firstRowId === undefined ? {} : { firstRowId };
  return { ...planned, path: await io.resolve(filePath), format, recordCount, fileSizeInBytes, ...lineage };
}
