/** Reading files with their deletes: what planning found, prepared on the connection that scans them. */
import {
  type Connection,
  type FileLayout,
  type FileToPrepare,
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
  { io, metadata }: DeletesContext,
  files: readonly FileToPrepare[],
  layouts?: ReadonlyMap<string, FileLayout>,
): Promise<{ readonly deletes?: ScanDeletes }> {
  const deletes = await prepareDeletes(connection, {
    files,
    layouts,
    schemas: metadata.schemas,
    nameMapping: nameMapping(metadata),
    resolve: (location) => io.resolve(location),
    normalize: comparableLocation,
  });
  return deletes === undefined ? {} : { deletes };
}
