/** Rows of data files by their positions: which rows a statement finds, and which files would lose all of theirs. */
import { randomUUID } from 'node:crypto';
import { type Connection, quoteIdentifier } from '../engine/index.js';
import type { DataFile } from '../iceberg/index.js';
import type { Table } from '../tables/index.js';
import { type DeletedPositions, knownDeletes } from './deleted-positions.js';

/** Live rows of one data file. */
export interface FoundRows extends DeletedPositions {
  readonly positions: readonly bigint[];
  readonly sql: string;
}

/**
 * The rows that a statement finds, file by file. They stay on the connection, too, until it is closed.
 * @param select gives the number of the file in the list, and the row's position
 */
export async function foundRows(
  connection: Connection,
  select: string,
  files: readonly DataFile[],
): Promise<readonly FoundRows[]> {
  const found = quoteIdentifier(`moraine_found_${randomUUID()}`);
  await connection.run(
    `CREATE TEMP TABLE ${found} AS SELECT file, pos::BIGINT AS pos FROM (${select}) AS rows(file, pos)`,
  );
  const grouped = await connection.rows(`SELECT file, list(pos) FROM ${found} GROUP BY file ORDER BY file`);
  return grouped.flatMap(([number, positions]): readonly FoundRows[] => {
    const dataFile = files[Number(number)];
    if (dataFile === undefined) return [];
    const sql = `SELECT pos FROM ${found} WHERE file = ${String(number)}`;
    return [{ dataFile, positions: (positions as { readonly items: readonly bigint[] }).items, sql }];
  });
}

/** Those of the files that have no other live rows. */
export async function emptiedBy(
  table: Table,
  connection: Connection,
  found: readonly FoundRows[],
): Promise<readonly FoundRows[]> {
  const known = await knownDeletes(
    table,
    connection,
    found.map(({ dataFile }) => dataFile),
  );
  return found.filter(({ dataFile: { filePath, recordCount }, positions }) => {
    // Delete files of other writers may name positions beyond the last row.
    const deleted = known.positions.get(filePath)?.filter((position) => position < recordCount).length ?? 0;
    return BigInt(positions.length + deleted) === recordCount;
  });
}
