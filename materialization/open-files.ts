/** Planned files as the engine opens them: allowed, looked at, and read by field id. */
import {
  type Connection,
  checkFiles,
  nameDamagedFile,
  readableFormat,
  type Scan,
  withConvertedCopies,
} from '../engine/index.js';
import { changedDeletesOf, deletesOf } from '../features/index.js';
import { currentSchema, nameMapping, snapshotById } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { type PlannedFile, planFiles, readSnapshotManifests, type Table } from '../tables/index.js';
import type { Interval } from './interval.js';
import type { PlannedSourceFile, SourceRead } from './plan.js';
import type { RedeletedFile } from './read-source-changes.js';

/** Files as a scan takes them: nested fields are matched by id through the files' own layouts. */
export type OpenFiles = Pick<Scan, 'files' | 'layouts' | 'nameMapping' | 'deletes' | 'deletedRows'>;

/** Rows of some files with event times in an interval. */
export interface OpenRead extends Interval {
  readonly keep: SourceRead['keep'];
  readonly afterSequenceNumber?: SourceRead['afterSequenceNumber'];
  readonly scan: OpenFiles;
}

/** What opening files needs; they belong to the table. */
export interface OpenContext {
  readonly io: FileIO;
  readonly connection: Connection;
  readonly table: Table;
}

/** What a plan keeps of a file. @throws UNSUPPORTED_FEATURE for a file that is neither Parquet nor Avro */
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
 * Checks that every file lies in the storage roots, exists, has its recorded length and has a readable footer, and makes copies of
 * those that DuckDB cannot read in place. Reads the deletes that a snapshot has of them.
 * @param snapshotId null: no deletes apply
 * @throws LOCATION_REFUSED, FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT naming the file
 */
export async function openFiles(
  context: OpenContext,
  planned: readonly PlannedSourceFile[],
  snapshotId: bigint | null,
): Promise<OpenFiles> {
  const { connection, table } = context;
  return await openWith(context, planned, async (paths, layouts) => {
    const withDeletes = await plannedWithDeletes(table, planned, snapshotId);
    const deleted = paths.flatMap((path, index) => {
      const file = withDeletes.get(planned[index]?.path ?? '');
      return file === undefined ? [] : [{ ...file, path }];
    });
    return await deletesOf(connection, { io: context.io, metadata: table.metadata }, deleted, layouts);
  });
}

/** The same for the rows that the changed deletes of the files are about, and no others. */
export async function openRedeleted(context: OpenContext, files: readonly RedeletedFile[]): Promise<OpenFiles> {
  const { io, connection, table } = context;
  const planned = files.map((file) => plannedSourceFile(file.planned));
  return await openWith(context, planned, async (paths, layouts) => {
    const changed = files.map((file, index) => ({
      file: file.planned.file,
      sequenceNumber: file.planned.sequenceNumber,
      path: paths[index] ?? '',
      changed: file.changed,
    }));
    return await changedDeletesOf(connection, { io, metadata: table.metadata }, changed, layouts);
  });
}

/** @param prepare what to do about deletes, given the files' paths as the file system opens them, in their order */
async function openWith(
  { io, connection, table }: OpenContext,
  planned: readonly PlannedSourceFile[],
  prepare: (
    paths: readonly string[],
    layouts: NonNullable<Scan['layouts']>,
  ) => Promise<Pick<OpenFiles, 'deletes' | 'deletedRows'>>,
): Promise<OpenFiles> {
  const opened = await Promise.all(planned.map(async (file) => ({ ...file, path: await io.resolve(file.path) })));
  const layouts = await checkFiles(connection, opened);
  const mapping = nameMapping(table.metadata);
  const paths = opened.map(({ path }) => path);
  const deletes = await prepare(paths, layouts);
  const files = await withConvertedCopies(connection, { files: opened, layouts });
  return { ...files, ...deletes, ...(mapping === undefined ? {} : { nameMapping: mapping }) };
}

/** The files that have deletes in a snapshot, by their location. A file that the snapshot does not have has no deletes in it. */
async function plannedWithDeletes(
  table: Table,
  files: readonly PlannedSourceFile[],
  snapshotId: bigint | null,
): Promise<ReadonlyMap<string, PlannedFile>> {
  if (snapshotId === null || files.length === 0) return new Map();
  const snapshot = snapshotById(table.metadata, snapshotId);
  const manifests = await readSnapshotManifests(table.io, snapshot);
  if (manifests.every(({ content }) => content === 'data')) return new Map();
  const wanted = new Set(files.map(({ path }) => path));
  const plan = await planFiles(table, { snapshot, schema: currentSchema(table.metadata), appliesDeletes: true });
  const deleted = plan.files.filter(({ file, deletes }) => deletes !== undefined && wanted.has(file.filePath));
  return new Map(deleted.map((planned) => [planned.file.filePath, planned]));
}

/** The same for whole reads. */
export async function openReads(context: OpenContext, reads: readonly SourceRead[]): Promise<readonly OpenRead[]> {
  const opened: OpenRead[] = [];
  for (const { files, snapshotId, ...read } of reads) {
    opened.push({ ...read, scan: await openFiles(context, files, snapshotId) });
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
