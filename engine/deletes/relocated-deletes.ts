/** The rows of position-delete files whose data files have moved. */
import { randomUUID } from 'node:crypto';
import { compareText, DELETE_FILE_PATH_ID, DELETE_POSITION_ID, POSITION_DELETE_SCHEMA } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import type { Connection } from '../connection.js';
import { columnAlias, quoteIdentifier } from '../sql/sql-text.js';
import { deleteRowsSql, type OpenDeleteFile, readingDeletes } from './delete-file-scan.js';
import { appending, checkedPaths, POSITION_DELETE_NAMES } from './position-deletes.js';

/** The rows of a file with new paths. */
export interface RelocatedRows {
  /** A statement with the columns `file_path` and `pos`. */
  readonly select: string;
  /** The first and the last new path, in the order of their code points; null: there are no rows. */
  readonly paths: { readonly first: Location; readonly last: Location } | null;
}

/**
 * Calls `use` with the rows of a position-delete file, each with the new location of its data file.
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file
 */
export async function withRelocatedDeletes<T>(
  connection: Connection,
  file: OpenDeleteFile,
  relocate: (location: Location) => Location,
  use: (rows: RelocatedRows) => Promise<T>,
): Promise<T> {
  const relation = await deleteRowsSql(connection, [file], POSITION_DELETE_SCHEMA, POSITION_DELETE_NAMES);
  return await readingDeletes(connection, [file], async () => {
    const old = await checkedPaths(connection, relation, [file]);
    const table = `relocated_${randomUUID().replaceAll('-', '')}`;
    await connection.run(`CREATE TEMP TABLE ${quoteIdentifier(table)} (old VARCHAR, new VARCHAR)`);
    try {
      const relocated = old.map((path) => [path, relocate(path)] as const);
      await appending(connection, table, (appender) => {
        for (const pair of relocated) {
          for (const path of pair) appender.appendVarchar(path);
          appender.endRow();
        }
      });
      const select = [
        `SELECT r.new, d.${columnAlias(DELETE_POSITION_ID)} FROM ${relation} AS d`,
        `JOIN ${quoteIdentifier(table)} AS r ON d.${columnAlias(DELETE_FILE_PATH_ID)} = r.old`,
      ].join(' ');
      const paths = relocated.map(([, path]) => path).toSorted(compareText);
      const [first, last] = [paths.at(0), paths.at(-1)];
      return await use({ select, paths: first === undefined || last === undefined ? null : { first, last } });
    } finally {
      await connection.run(`DROP TABLE IF EXISTS ${quoteIdentifier(table)}`);
    }
  });
}

/** Rows, and a sum of their hashes, by which two sets of rows are compared whatever their order. */
export async function digestDeletes(connection: Connection, select: string): Promise<string> {
  const [row = []] = await connection.rows(
    `SELECT count(*), sum(hash(path, pos)::HUGEINT) FROM (${select}) AS rows(path, pos)`,
  );
  return row.map(String).join(' ');
}
