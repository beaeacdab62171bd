/** Delete files as relations. */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { DeleteFile, NameMapping, Schema } from '../../iceberg/index.js';
import type { LocalPath } from '../../locations/index.js';
import type { Connection } from '../connection.js';
import { readableScanSql } from '../copies/scan-copies.js';
import { checkFiles, readableFormat } from '../scan/check-files.js';
import { nameDamagedFile } from '../scan/damaged-file.js';

/** A delete file of rows, at the path that the file system opens. */
export interface OpenDeleteFile {
  readonly path: LocalPath;
  readonly entry: DeleteFile;
}

/** Column of {@link deleteRowsSql}: the place of the row's delete file in the list, from 0. */
export const DELETE_NUMBER = 'delete_number';

/**
 * A relation of the rows of delete files: columns `c<id>` of the schema, and {@link DELETE_NUMBER}.
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file
 */
export async function deleteRowsSql(
  connection: Connection,
  files: readonly OpenDeleteFile[],
  schema: Schema,
  nameMapping: NameMapping | undefined,
): Promise<string> {
  return await readingDeletes(connection, files, async () => {
    const checked = files.map(({ path, entry: { file } }) => ({
      path,
      format: readableFormat(file),
      fileSizeInBytes: file.fileSizeInBytes,
    }));
    const layouts = await checkFiles(connection, checked);
    const scanned = files.map(({ path, entry }) => ({ path, recordCount: entry.file.recordCount }));
    const names = nameMapping === undefined ? {} : { nameMapping };
    const scan = {
      schema,
      files: scanned,
      layouts,
      naming: 'id',
      extras: { fileNumber: DELETE_NUMBER },
      ...names,
    } as const;
    return await readableScanSql(connection, scan);
  });
}

/** Runs statements on delete files; what fails says so, and names the file. */
export async function readingDeletes<T>(
  connection: Connection,
  files: readonly OpenDeleteFile[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const paths = files.map(({ path }) => path);
    throw asDeleteFileError(await nameDamagedFile(connection, paths, error));
  }
}

/** An error about a data file that is a delete file. */
function asDeleteFileError(error: unknown): unknown {
  const code = isMoraineError(error, 'DATA_FILE_CORRUPT') ? 'DELETE_FILE_CORRUPT' : 'FILE_NOT_FOUND';
  if (!isMoraineError(error, 'DATA_FILE_CORRUPT') && !isMoraineError(error, 'FILE_NOT_FOUND')) return error;
  const message = error.message.replace('data file', 'delete file');
  return new MoraineError(code, message, { details: error.details, cause: error });
}
