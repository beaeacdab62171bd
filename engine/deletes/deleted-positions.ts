/** The positions that deletes take from data files, for writers that merge them. */

import type { Connection } from '../connection.js';
import { quoteIdentifier } from '../sql/sql-text.js';
import { type DeletesToPrepare, prepareDeletes } from './prepare-deletes.js';
import { POSITION_BITS } from './scan-deletes.js';

/**
 * The deleted positions of each file that has any, by the file's path: of its vector, or of its position-delete files. Equality
 * deletes are left out of account.
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE, LOCATION_REFUSED naming the delete file; CANCELLED
 */
export async function readDeletedPositions(
  connection: Connection,
  request: DeletesToPrepare,
): Promise<ReadonlyMap<string, readonly bigint[]>> {
  const files = request.files.flatMap(({ deletes, ...file }) =>
    deletes === undefined ? [] : [{ ...file, deletes: { ...deletes, equality: [] } }],
  );
  const prepared = await prepareDeletes(connection, { ...request, files });
  const found = new Map<string, readonly bigint[]>();
  if (prepared?.positions === undefined) return found;
  try {
    const pos = `key & ${(1n << POSITION_BITS) - 1n}`;
    for (const [path, { fileNumber }] of prepared.files) {
      if (fileNumber === undefined) continue;
      const ofFile = `key >> ${POSITION_BITS} = ${fileNumber}`;
      const table = quoteIdentifier(prepared.positions);
      const rows = await connection.rows(`SELECT DISTINCT ${pos} FROM ${table} WHERE ${ofFile}`);
      found.set(
        path,
        rows.map(([position]) => BigInt(String(position))),
      );
    }
    return found;
  } finally {
    await prepared.release();
  }
}
