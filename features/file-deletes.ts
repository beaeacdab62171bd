/** Reading files with their deletes: what planning found, prepared on the connection that scans them. */
import {
  type ChangedFile,
  type Connection,
  type DeletesToPrepare,
  type FileLayout,
  type FileToPrepare,
  prepareChangedDeletes,
  prepareDeletes,
  type ScanDeletes,
} from '../engine/index.js';
import { nameMapping, type TableMetadata } from '../iceberg/index.js';
import { comparableLocation, type FileIO } from '../storage/index.js';

/** Where the files are from. */
export interface DeletesContext {
  readonly io: FileIO;
  readonly metadata: TableMetadata;
}

/**
 * The member of a `Scan` that leaves deleted rows out; empty when no file has deletes.
 * @param files with the paths that the scan has
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE, LOCATION_REFUSED naming the delete file
 */
export async function deletesOf(
  connection: Connection,
  context: DeletesContext,
  files: readonly FileToPrepare[],
  layouts?: ReadonlyMap<string, FileLayout>,
): Promise<{ readonly deletes?: ScanDeletes }> {
  const deletes = await prepareDeletes(connection, toPrepare(context, files, layouts));
  return deletes === undefined ? {} : { deletes };
}

/** The members of a `Scan` that give the rows which the deletes of one of two snapshots take. Otherwise as {@link deletesOf}. */
export async function changedDeletesOf(
  connection: Connection,
  context: DeletesContext,
  files: readonly ChangedFile[],
  layouts?: ReadonlyMap<string, FileLayout>,
): Promise<{ readonly deletes: ScanDeletes; readonly deletedRows: 'alone' }> {
  const deletes = await prepareChangedDeletes(connection, toPrepare(context, files, layouts));
  return { deletes, deletedRows: 'alone' };
}

function toPrepare<F>(
  { io, metadata }: DeletesContext,
  files: readonly F[],
  layouts: ReadonlyMap<string, FileLayout> | undefined,
): DeletesToPrepare<F> {
  return {
    files,
    layouts,
    schemas: metadata.schemas,
    nameMapping: nameMapping(metadata),
    resolve: (location) => io.resolve(location),
    normalize: comparableLocation,
  };
}
