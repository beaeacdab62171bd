/** Finding out which file is damaged: DuckDB does not always say. */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { Connection } from '../connection.js';
import { parquetReader, parquetSchemaReader } from './file-readers.js';

/**
 * Makes a DATA_FILE_CORRUPT that names no file name it, by reading the files one by one, footers first. Other errors come
 * back as they are, and so does this one when no file alone shows the damage.
 */
export async function nameDamagedFile(
  connection: Connection,
  paths: readonly string[],
  error: unknown,
): Promise<unknown> {
  if (!isMoraineError(error, 'DATA_FILE_CORRUPT') || error.details.path !== undefined) return error;
  const probes = [
    (path: string): string => `SELECT count(*) FROM ${parquetSchemaReader([path])}`,
    (path: string): string => `SELECT bit_xor(hash(input)) FROM ${parquetReader([path])} AS input`,
  ];
  for (const probe of probes) {
    for (const path of paths) {
      const failure = await connection.rows(probe(connection.copies.standInFor(path))).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      if (failure !== undefined) return named(connection.copies.originalOf(path), failure);
    }
  }
  return error;
}

function named(path: string, cause: unknown): unknown {
  if (!isMoraineError(cause, 'DATA_FILE_CORRUPT')) return cause;
  return new MoraineError('DATA_FILE_CORRUPT', `A data file is damaged: ${path} cannot be read as Parquet.`, {
    details: { path },
    cause,
  });
}
