/** Planned files as the engine opens them: allowed, looked at, and read by field id. */
import {
  type Connection,
  checkFiles,
  nameDamagedFile,
  readableFormat,
  type Scan,
  withConvertedCopies,
} from '../engine/index.js';
import { nameMapping, type TableMetadata } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import type { PlannedFile } from '../tables/index.js';
import type { Interval } from './interval.js';
import type { PlannedSourceFile, SourceRead } from './plan.js';

/** Files as a scan takes them: nested fields are matched by id through the files' own layouts. */
export type OpenFiles = Pick<Scan, 'files' | 'layouts' | 'nameMapping'>;

/** Rows of some files with event times in an interval. */
export interface OpenRead extends Interval {
  readonly keep: SourceRead['keep'];
  readonly scan: OpenFiles;
}

/** What opening files needs; they belong to the table of `metadata`. */
export interface OpenContext {
  readonly io: FileIO;
  readonly connection: Connection;
  readonly metadata: TableMetadata;
}

/** What a plan keeps of a file. @throws UNSUPPORTED_FEATURE for a file that is neither Parquet nor Avro */
export function plannedSourceFile({ file, sequenceNumber }: PlannedFile): PlannedSourceFile {
  const { filePath: path, recordCount, fileSizeInBytes } = file;
  const format = readableFormat(file);
  return { path, recordCount, fileSizeInBytes, sequenceNumber, ...(format === 'PARQUET' ? {} : { format }) };
}

/**
 * Checks that every file lies in the storage roots, exists, has its recorded length and has a readable footer, and makes copies of
 * those that DuckDB cannot read in place.
 * @throws LOCATION_REFUSED, FILE_NOT_FOUND, DATA_FILE_CORRUPT naming the file
 */
export async function openFiles(context: OpenContext, planned: readonly PlannedSourceFile[]): Promise<OpenFiles> {
  const { io, connection, metadata } = context;
  const opened = await Promise.all(planned.map(async (file) => ({ ...file, path: await io.resolve(file.path) })));
  const layouts = await checkFiles(connection, opened);
  const mapping = nameMapping(metadata);
  const files = await withConvertedCopies(connection, { files: opened, layouts });
  return { ...files, ...(mapping === undefined ? {} : { nameMapping: mapping }) };
}

/** The same for whole reads. */
export async function openReads(context: OpenContext, reads: readonly SourceRead[]): Promise<readonly OpenRead[]> {
  const opened: OpenRead[] = [];
  for (const { files, ...read } of reads) {
    opened.push({ ...read, scan: await openFiles(context, files) });
  }
  return opened;
}

/** Runs statements that read the files; damage that shows only in their rows is reported with the file's name. */
export async function whileReading<T>(
  connection: Connection,
  opened: readonly OpenFiles[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const paths = new Set(opened.flatMap(({ files }) => files.map((file) => file.path)));
    throw await nameDamagedFile(connection, [...paths], error);
  }
}
