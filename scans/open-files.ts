/**
 * Opening data files: the one place where locations become what the engine opens. Files are held ready for any number of statements: they
 * lie in the storage roots, have their recorded length and a readable footer, their deletes are read, and files that DuckDB cannot read are
 * copied.
 */
import {
  type CheckedFile,
  type Connection,
  checkFiles,
  type FileLayout,
  nameDamagedFile,
  prepareChangedDeletes,
  prepareDeletes,
  readableFormat,
  type Scan,
  type ScanFile,
  withConvertedCopies,
} from '../engine/index.js';
import { type ChangedDeletes, nameMapping, snapshotById } from '../iceberg/index.js';
import { comparableLocation, type FileIO } from '../storage/index.js';
import {
  deletesOfFiles,
  type FileWithDeletes,
  type PlannedFile,
  readSnapshotManifests,
  type Table,
} from '../tables/index.js';

/** Parts of a table that opening its files needs: storage, schemas and name mapping. */
export type FilesOwner = Pick<Table, 'io' | 'metadata'>;

/** A data file to open. */
export interface FileToOpen extends Omit<ScanFile, 'path'>, Omit<CheckedFile, 'path'> {
  /** As manifests have it. */
  readonly location: string;
  /** Deletes that apply to it. Absent: every row is live. */
  readonly deleted?: FileWithDeletes | undefined;
}

/** A data file to open, and where it is. */
export interface LocatedFile extends FileToOpen {
  readonly path: string;
}

/** Open files: what `scanSql` needs besides schema, columns and filter. */
export type OpenFiles = Pick<Scan, 'files' | 'layouts' | 'nameMapping' | 'deletes' | 'deletedRows'>;

/** A planned file, with its deletes. @throws UNSUPPORTED_FEATURE for a file that is neither Parquet nor Avro, or encrypted */
export function fileToOpen({ file, sequenceNumber, identityValues, deletes }: PlannedFile): FileToOpen {
  const { filePath: location, recordCount, fileSizeInBytes, firstRowId } = file;
  return {
    location,
    recordCount,
    fileSizeInBytes,
    sequenceNumber,
    format: readableFormat(file),
    ...(firstRowId === undefined ? {} : { firstRowId }),
    ...(identityValues === undefined ? {} : { identityValues }),
    ...(deletes === undefined ? {} : { deleted: { dataFile: file, sequenceNumber, deletes } }),
  };
}

/** Deletes of files in a snapshot, by location. A file that the snapshot does not have has none. */
export async function deletesAt(
  table: Table,
  snapshotId: bigint,
  locations: readonly string[],
): Promise<ReadonlyMap<string, FileWithDeletes>> {
  if (locations.length === 0) return new Map();
  const snapshot = snapshotById(table.metadata, snapshotId);
  const manifests = await readSnapshotManifests(table.io, snapshot);
  if (manifests.every(({ content }) => content === 'data')) return new Map();
  return await deletesOfFiles(table, snapshot, locations);
}

/** Finds where files are. @throws LOCATION_REFUSED for one outside the storage roots */
export function locateFiles<T extends FileToOpen>(
  io: FileIO,
  files: readonly T[],
): Promise<readonly (T & { readonly path: string })[]> {
  return Promise.all(files.map(async (file) => ({ ...file, path: await io.resolve(file.location) })));
}

/**
 * Opens files on a connection that may read them. Release `deletes` where many are opened on one connection.
 * @throws LOCATION_REFUSED, FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file; CANCELLED
 */
export async function openFiles(
  connection: Connection,
  owner: FilesOwner,
  files: readonly FileToOpen[],
): Promise<OpenFiles> {
  return await openLocated(connection, owner, await locateFiles(owner.io, files), new KnownLayouts());
}

/** The same for files whose places, and maybe layouts, are known. */
export async function openLocated(
  connection: Connection,
  owner: FilesOwner,
  files: readonly LocatedFile[],
  known: KnownLayouts,
): Promise<OpenFiles> {
  const layouts = await known.of(connection, files);
  const deleted = files.flatMap(({ path, deleted: found }) =>
    found === undefined
      ? []
      : [{ path, file: found.dataFile, sequenceNumber: found.sequenceNumber, deletes: found.deletes }],
  );
  const deletes = await prepareDeletes(connection, { files: deleted, layouts, ...deletesContext(owner) });
  return await readable(connection, owner, { files, layouts, ...(deletes === undefined ? {} : { deletes }) });
}

/** Opens files for those rows alone which only one of two snapshots may have, by the deletes of the files in each. */
export async function openChanged(
  connection: Connection,
  owner: FilesOwner,
  changed: readonly { readonly planned: PlannedFile; readonly changed: ChangedDeletes }[],
): Promise<OpenFiles> {
  const wanted = changed.map((one) => ({ ...one, ...fileToOpen(one.planned) }));
  const files = await locateFiles(owner.io, wanted);
  const layouts = await new KnownLayouts().of(connection, files);
  const deletes = await prepareChangedDeletes(connection, {
    files: files.map(({ path, planned: { file, sequenceNumber }, changed: between }) => {
      return { path, file, sequenceNumber, changed: between };
    }),
    layouts,
    ...deletesContext(owner),
  });
  return await readable(connection, owner, { files, layouts, deletes, deletedRows: 'alone' });
}

function deletesContext({ io, metadata }: FilesOwner) {
  return {
    schemas: metadata.schemas,
    nameMapping: nameMapping(metadata),
    resolve: (location: string) => io.resolve(location),
    normalize: comparableLocation,
  };
}

async function readable(connection: Connection, { metadata }: FilesOwner, open: OpenFiles): Promise<OpenFiles> {
  const mapping = nameMapping(metadata);
  const files = await withConvertedCopies(connection, open);
  return mapping === undefined ? files : { ...files, nameMapping: mapping };
}

/** Layouts of files that were checked, by path; thousands of files have few layouts, and equal ones are kept once. */
export class KnownLayouts {
  readonly #byPath = new Map<string, FileLayout>();
  readonly #byFingerprint = new Map<string, FileLayout>();

  get(path: string): FileLayout | undefined {
    return this.#byPath.get(path);
  }

  add(path: string, layout: FileLayout): void {
    const one = this.#byFingerprint.get(layout.fingerprint) ?? layout;
    this.#byFingerprint.set(one.fingerprint, one);
    this.#byPath.set(path, one);
  }

  /** The layouts of files; each file is checked when it is asked for the first time. */
  async of(connection: Connection, files: readonly CheckedFile[]): Promise<ReadonlyMap<string, FileLayout>> {
    const unknown = files.filter(({ path }) => !this.#byPath.has(path));
    if (unknown.length > 0) for (const [path, layout] of await checkFiles(connection, unknown)) this.add(path, layout);
    return this.#byPath;
  }
}

/** Runs statements that read open files; damage that shows only in their rows is reported with the file's name. */
export async function whileReading<T>(
  connection: Connection,
  opened: readonly Pick<OpenFiles, 'files'>[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const paths = new Set(opened.flatMap(({ files }) => files.map(({ path }) => path)));
    throw await nameDamagedFile(connection, [...paths], error);
  }
}
