/** The files of a plan, and opening them. */
import { type Connection, readableFormat } from '../engine/index.js';
import { deletesAt, type OpenFiles, openFiles } from '../scans/index.js';
import type { PlannedFile, Table } from '../tables/index.js';
import type { Interval } from './interval.js';
import type { PlannedSourceFile, SourceRead } from './plan.js';

/** Rows of some files with event times in an interval. */
export interface OpenRead extends Interval {
  readonly keep: SourceRead['keep'];
  readonly afterSequenceNumber?: SourceRead['afterSequenceNumber'];
  readonly scan: OpenFiles;
}

/** A file as a plan keeps it. @throws UNSUPPORTED_FEATURE for a file that is neither Parquet nor Avro */
export function plannedSourceFile({ file, sequenceNumber, identityValues }: PlannedFile): PlannedSourceFile {
  const { filePath: path, recordCount, fileSizeInBytes } = file;
  const format = readableFormat(file);
  return {
    path,
    recordCount,
    fileSizeInBytes,
    sequenceNumber,
    ...(format === 'PARQUET' ? {} : { format }),
    ...(identityValues === undefined ? {} : { identityValues }),
  };
}

/**
 * Opens files with the deletes that a snapshot has of them.
 * @param snapshotId null: no deletes apply
 * @throws LOCATION_REFUSED, FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT naming the file
 */
export async function openPlanned(
  connection: Connection,
  table: Table,
  planned: readonly PlannedSourceFile[],
  snapshotId: bigint | null,
): Promise<OpenFiles> {
  const locations = planned.map(({ path }) => path);
  const deletes = snapshotId === null ? undefined : await deletesAt(table, snapshotId, locations);
  const files = planned.map(({ path, ...file }) => ({ ...file, location: path, deleted: deletes?.get(path) }));
  return await openFiles(connection, table, files);
}

/** The same for whole reads. */
export async function openReads(
  connection: Connection,
  table: Table,
  reads: readonly SourceRead[],
): Promise<readonly OpenRead[]> {
  const opened: OpenRead[] = [];
  for (const { files, snapshotId, ...read } of reads) {
    opened.push({ ...read, scan: await openPlanned(connection, table, files, snapshotId) });
  }
  return opened;
}
