/** Rows of a batch that have the order of a row of the table: which of the two was read later. By default the batch's, but not where old records are replayed. */
import type { Connection } from '../../engine/index.js';

/** A row of the batch and one of the table with the same key and the same order. */
export interface Tie {
  /** The key, as `keyJsonSql` gives it. */
  readonly key: string;
  /** Sequence number of the snapshot that wrote the table's row. */
  readonly sequenceNumber: bigint;
  /** False: a snapshot before that one may have written it, since its file was rewritten. */
  readonly isExact: boolean;
}

/** Tells of each tie whether the batch's row was read after the table's; the others are left out of the commit. */
export type BreakTies = (connection: Connection, ties: readonly Tie[]) => Promise<readonly boolean[]>;

/** @param stored the table of pairs of rows, with `key`, `seq` (below zero: it is not exact) and `tied`; those of a row of the batch that loses a tie become `below` */
export async function loseTies(connection: Connection, stored: string, breakTies: BreakTies): Promise<void> {
  const pairs = await connection.rows(`SELECT DISTINCT staged_file, staged_pos, key, seq FROM ${stored} WHERE tied`);
  if (pairs.length === 0) return;
  const ties = pairs.map(([, , key, seq]): Tie => {
    const number = BigInt(String(seq));
    return { key: String(key), sequenceNumber: number < 0n ? -number : number, isExact: number >= 0n };
  });
  const areNewer = await breakTies(connection, ties);
  const lost = pairs.flatMap(([file, pos], index) =>
    areNewer[index] === true ? [] : [`(${String(file)}, ${String(pos)})`],
  );
  if (lost.length === 0) return;
  const isLost = `(staged_file, staged_pos) IN (SELECT * FROM (VALUES ${lost.join(', ')}))`;
  await connection.run(`UPDATE ${stored} SET below = true WHERE ${isLost}`);
}
