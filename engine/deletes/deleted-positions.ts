/** The positions that deletes take from data files, for writers that merge them. */

import type { Connection } from '../connection.js';
import { quoteIdentifier } from '../sql/sql-text.js';
import { type DeletesToPrepare, prepareDeletes } from './prepare-deletes.js';
import { POSITION_BITS } from './scan-deletes.js';

/**
 * The deleted positions of each file that has any, ascending, by the file's path: of its vector, or of its position-delete files.
 * Equality deletes are left out of account.
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
  if (prepared?.positions === undefined) return new Map();
  try {
    const found = new Map<bigint, bigint[]>();
    for (const { fileNumber } of prepared.files.values()) if (fileNumber !== undefined) found.set(fileNumber, []);
    const stream = await connection.stream(
      `SELECT DISTINCT key FROM ${quoteIdentifier(prepared.positions)} ORDER BY 1`,
    );
    for (let chunk = await stream.next(); chunk !== null; chunk = await stream.next()) {
      for (const key of chunk.getColumnValues(0) as bigint[]) {
        found.get(key >> POSITION_BITS)?.push(key & ((1n << POSITION_BITS) - 1n));
      }
    }
    return new Map(
      [...prepared.files].flatMap(([path, { fileNumber = -1n }]) => {
        const positions = found.get(fileNumber);
        return positions === undefined ? [] : [[path, positions]];
      }),
    );
  } finally {
    await prepared.release();
  }
}
