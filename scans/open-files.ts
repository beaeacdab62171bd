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
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type ChangedDeletes, nameMapping, snapshotById } from '../iceberg/index.js';
import { comparableLocation, type LocalPath, type Location } from '../locations/index.js';
import type { FileIO } from '../storage/index.js';
import {
  deletesOfFiles,
  type FileWithDeletes,
  type PlannedFile,
  readSnapshotManifests,
  type Table,
} from '../tables/index.js';
import { type OpenablePath, openableParquet, openablePath } from './local-copies.js';

/** Parts of a table that opening its files needs: storage, schemas and name mapping. */
export type FilesOwner = Pick<Table, 'io' | 'metadata'>;

/** A data file to open. */
export interface FileToOpen extends Omit<ScanFile, 'path' | 'remote'>, Omit<CheckedFile, 'path'> {
  /** As manifests have it. */
  readonly location: Location;
  /** Deletes that apply to it. Absent: every row is live. */
  readonly deleted?: FileWithDeletes | undefined;
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

/**
 * Opens files on a connection that may read them. Release `deletes` where many are opened on one connection.
 * @param known what earlier openings found of files; what this one finds is added
 * @throws LOCATION_REFUSED, FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file; CANCELLED
 */
export async function openFiles(
  connection: Connection,
  owner: FilesOwner,
  wanted: readonly FileToOpen[],
  known = new KnownFiles(),
): Promise<OpenFiles> {
  const { files, layouts } = await known.of(connection, owner, wanted);
  const deleted = files.flatMap(({ path, deleted: found }) =>
    found === undefined
      ? []
      : [{ path, file: found.dataFile, sequenceNumber: found.sequenceNumber, deletes: found.deletes }],
  );
  const deletes = await prepareDeletes(connection, { files: deleted, layouts, ...deletesContext(connection, owner) });
  return await readable(connection, owner, { files, layouts, ...(deletes === undefined ? {} : { deletes }) });
}

/** Opens files for those rows alone which only one of two snapshots may have, by the deletes of the files in each. */
export async function openChanged(
  connection: Connection,
  owner: FilesOwner,
  changed: readonly { readonly planned: PlannedFile; readonly changed: ChangedDeletes }[],
): Promise<OpenFiles> {
  const wanted = changed.map((one) => ({ ...one, ...fileToOpen(one.planned) }));
  const { files, layouts } = await new KnownFiles().of(connection, owner, wanted);
  const deletes = await prepareChangedDeletes(connection, {
    files: files.map(({ path, planned: { file, sequenceNumber }, changed: between }) => {
      return { path, file, sequenceNumber, changed: between };
    }),
    layouts,
    ...deletesContext(connection, owner),
  });
  return await readable(connection, owner, { files, layouts, deletes, deletedRows: 'alone' });
}

/**
 * Whether open files may be read on any connection and at any time: none has deletes, and none is a copy.
 * @param files the files that were opened
 */
export function isLasting(
  { io }: FilesOwner,
  files: readonly Pick<FileToOpen, 'location'>[],
  { deletes, layouts }: OpenFiles,
): boolean {
  if (deletes !== undefined || files.some(({ location }) => io.localFiles(location) === null)) return false;
  return [...(layouts?.values() ?? [])].every(({ conversion }) => conversion === undefined);
}

function deletesContext(connection: Connection, { io, metadata }: FilesOwner) {
  return {
    schemas: metadata.schemas,
    nameMapping: nameMapping(metadata),
    resolve: (location: Location) => openablePath(connection, io, location),
    normalize: comparableLocation,
  };
}

async function readable(connection: Connection, { metadata }: FilesOwner, open: OpenFiles): Promise<OpenFiles> {
  const mapping = nameMapping(metadata);
  const files = await withConvertedCopies(connection, open);
  return mapping === undefined ? files : { ...files, nameMapping: mapping };
}

/** Facts about a file that was opened before. */
interface KnownFile {
  readonly path: LocalPath;
  readonly layout: FileLayout;
}

/** Files that were opened before, by location; thousands of files have few layouts, and equal ones are kept once. */
export class KnownFiles {
  readonly #byLocation = new Map<Location, KnownFile>();
  readonly #byFingerprint = new Map<string, FileLayout>();

  /** Adds what others know of a file. */
  addFrom(others: KnownFiles, location: Location): void {
    const known = others.#byLocation.get(location);
    if (known !== undefined) this.#add(location, known);
  }

  /** The files with their paths, and their layouts by path; each file is checked when it is asked for the first time. */
  async of<T extends FileToOpen>(
    connection: Connection,
    { io }: FilesOwner,
    wanted: readonly T[],
  ): Promise<{
    readonly files: readonly (T & OpenablePath)[];
    readonly layouts: ReadonlyMap<LocalPath, FileLayout>;
  }> {
    const isLocal = wanted.map(({ location }) => io.localFiles(location) !== null);
    if (!isLocal.includes(false)) return await this.#localFiles(connection, io, wanted);
    const local = await this.#localFiles(
      connection,
      io,
      wanted.filter((_, index) => isLocal[index]),
    );
    const fetched = await fetchedFiles(
      connection,
      io,
      wanted.filter((_, index) => isLocal[index] !== true),
    );
    const [here, elsewhere] = [local.files.values(), fetched.files.values()];
    return {
      files: isLocal.flatMap((isHere) => (isHere ? here : elsewhere).next().value ?? []),
      layouts: new Map([...local.layouts, ...fetched.layouts]),
    };
  }

  async #localFiles<T extends FileToOpen>(connection: Connection, io: FileIO, wanted: readonly T[]) {
    const files = await Promise.all(
      wanted.map(async (file) => {
        const known = this.#byLocation.get(file.location);
        return { ...file, path: known?.path ?? (await openablePath(connection, io, file.location)) };
      }),
    );
    const unknown = files.filter(({ location }) => !this.#byLocation.has(location));
    const found: ReadonlyMap<LocalPath, FileLayout> =
      unknown.length === 0 ? new Map() : await checkFiles(connection, unknown);
    const layouts = new Map(found);
    for (const { location, path } of files) {
      const layout = layouts.get(path) ?? this.#byLocation.get(location)?.layout;
      if (layout !== undefined) layouts.set(path, this.#one(layout));
    }
    for (const { location, path } of unknown) this.#addChecked(location, path, layouts);
    return { files, layouts };
  }

  #addChecked(location: Location, path: LocalPath, layouts: ReadonlyMap<LocalPath, FileLayout>): void {
    const layout = layouts.get(path);
    if (layout !== undefined) this.#add(location, { path, layout });
  }

  #add(location: Location, { path, layout }: KnownFile): void {
    this.#byLocation.set(location, { path, layout: this.#one(layout) });
  }

  #one(layout: FileLayout): FileLayout {
    const one = this.#byFingerprint.get(layout.fingerprint) ?? layout;
    this.#byFingerprint.set(one.fingerprint, one);
    return one;
  }
}

/** Files opened at a time of which the ends are fetched. */
const ENDS_AT_ONCE = 32;

/** Files of a store: their ends, and those whole that are copied before they are read. They go with the connection. */
async function fetchedFiles<T extends FileToOpen>(connection: Connection, io: FileIO, wanted: readonly T[]) {
  const files: (T & OpenablePath)[] = [];
  for (let start = 0; start < wanted.length; start += ENDS_AT_ONCE) {
    connection.throwIfAborted();
    const some = wanted.slice(start, start + ENDS_AT_ONCE).map(async (file) => {
      if (file.format === 'AVRO') return { ...file, path: await openablePath(connection, io, file.location) };
      return { ...file, ...(await openableParquet(connection, io, file)) };
    });
    files.push(...(await Promise.all(some)));
  }
  const checked = await checkFiles(connection, files).catch((error: unknown) => {
    throw namingOriginal(connection, error);
  });
  const layouts = new Map(checked);
  for (const [index, { remote, path, ...file }] of files.entries()) {
    const layout = layouts.get(path);
    if (remote === undefined || layout?.conversion === undefined) continue;
    const whole = await openablePath(connection, io, file.location);
    layouts.set(whole, layout);
    files[index] = { ...file, path: whole } as unknown as T & OpenablePath;
  }
  return { files, layouts };
}

/** An error about a copy as one about the file that it was made of. */
function namingOriginal({ copies }: Connection, error: unknown): unknown {
  const path = isMoraineError(error) ? error.details['path'] : undefined;
  if (!isMoraineError(error) || typeof path !== 'string') return error;
  const original = copies.originalOf(path);
  const message = error.message.replaceAll(path, original);
  return new MoraineError(error.code, message, { details: { ...error.details, path: original }, cause: error });
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
