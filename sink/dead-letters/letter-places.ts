/** In which order the records of dead letters were read, and which of them are newer than rows that the table has. ADR 0051. */
import { randomUUID } from 'node:crypto';
import type { TableIdentifier } from '../../catalogs/index.js';
import { type Connection, loadRows, quoteLiteral } from '../../engine/index.js';
import type { SinkDeps } from '../sink-options.js';
import type { BreakTies, Tie } from '../upserts/break-ties.js';
import { deadLetterRowsSql, planDeadLetters } from './dead-letter-rows.js';
import { loadDeadLetterTable } from './dead-letter-table.js';

/**
 * A statement that gives each dead letter once, though its record was read again after a rollback: `id`, and the number `n`, from 0, in the order in which the records were
 * read. Of one source that is the order of positions, whatever the clocks of its processes said; of several that in which they were left out.
 * @param rows what stands after FROM for rows of a dead-letter table
 * @param where which of them
 * @param more further columns, as aggregates
 */
export function placedSql(rows: string, where: string, more: readonly string[]): string {
  const once = `SELECT "id", any_value("sink") AS "sink", any_value("source") AS "source", any_value("position") AS "position", min("rejected_at") AS "rejected_at",
    ${more.join(', ')} FROM ${rows} WHERE ${where} GROUP BY "id"`;
  const readAt = `CASE WHEN "position" IS NULL THEN "rejected_at" ELSE max("rejected_at") OVER (PARTITION BY "sink", "source" ORDER BY "position") END`;
  const timed = `SELECT *, ${readAt} AS read_at FROM (${once})`;
  return `SELECT *, row_number() OVER (ORDER BY read_at, "sink", "source", "position", "id") - 1 AS n FROM (${timed})`;
}

/**
 * Ties of replayed dead letters with rows that the table has. A dead letter wins if the row was written by a snapshot that the table had when the record was left out, or
 * is that of a dead letter which was read before it. It loses to a row that was written later, by the batch that left it out, or by nobody knows whom.
 * @param idOfKey the dead letter that became the row of a key
 */
export function letterTies(
  deps: SinkDeps,
  deadLetters: TableIdentifier,
  tableUuid: string,
  idOfKey: ReadonlyMap<string, string>,
): BreakTies {
  return async (connection, ties) => {
    // What earlier batches of this replay have made rows of is marked by now.
    const table = await loadDeadLetterTable(deps, deadLetters);
    const plan = await planDeadLetters(table);
    if (plan.files.length === 0) return ties.map(() => false);
    const rows = await deadLetterRowsSql(connection, table, plan);
    const facts = [
      'min("base_sequence") AS "base_sequence"',
      'max("replayed_sequence") AS "replayed_sequence"',
      'arg_max_null("replayed_key", "replayed_sequence") AS "replayed_key"',
    ];
    const letters = placedSql(rows, `"table_uuid" = ${quoteLiteral(tableUuid)}`, facts);
    return await areNewer(connection, letters, ties, idOfKey);
  };
}

async function areNewer(
  connection: Connection,
  letters: string,
  ties: readonly Tie[],
  idOfKey: ReadonlyMap<string, string>,
): Promise<readonly boolean[]> {
  const name = `moraine_ties_${randomUUID().replaceAll('-', '_')}`;
  const [int, string, long] = [{ kind: 'int' }, { kind: 'string' }, { kind: 'long' }] as const;
  try {
    const listed = ties.map(({ key, sequenceNumber, isExact }, index) => {
      return [index, idOfKey.get(key) ?? null, key, sequenceNumber, isExact ? sequenceNumber : null];
    });
    await loadRows(connection, name, [int, string, string, long, long], listed);
    const isOlder = 'tie.c3 <= own."base_sequence" OR other."id" IS NOT NULL';
    const found = await connection.rows(`WITH letters AS MATERIALIZED (${letters})
      SELECT tie.c0, coalesce(bool_or(${isOlder}), false) FROM ${name} AS tie LEFT JOIN letters AS own ON own."id" = tie.c1
      LEFT JOIN letters AS other ON other."replayed_key" = tie.c2 AND other."replayed_sequence" = tie.c4 AND other.n < own.n
      GROUP BY tie.c0 ORDER BY tie.c0`);
    return found.map(([, isNewer]) => isNewer === true);
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${name}`);
  }
}
