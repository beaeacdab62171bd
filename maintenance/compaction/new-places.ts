/** Where deleted rows of a group are in its new files. The statement that wrote the rows tells the place of each, run again. */
import { randomUUID } from 'node:crypto';
import { type Connection, columnAlias } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import { type GroupRows, groupRows, placesSql } from './compact-rows.js';
import { openGroup } from './open-group.js';
import type { StoredPlan } from './read-compaction-plan.js';

/** Deleted rows of a group's file, which its place in the group names. */
export interface DeletedOfFile {
  readonly file: number;
  readonly positions: readonly bigint[] | 'every-row';
}

/**
 * The places of the deleted rows among all rows of the group's new files, ascending. Rows that were not written have none.
 * @throws COMMIT_CONFLICT when rows that were not written would have to come back: plan again
 */
export async function newPlaces(
  connection: Connection,
  plan: StoredPlan,
  group: number,
  deleted: readonly DeletedOfFile[],
): Promise<readonly bigint[]> {
  const open = await openGroup(connection, plan.table, plan.head, plan.group(group));
  const rows = await groupRows(connection, plan.head, open);
  const table = await deletedTable(connection, rows, deleted);
  try {
    await refuseUncovered(connection, plan, rows, table);
    const found = await connection.rows(
      `SELECT m_place FROM (${placesSql(rows)}) JOIN ${table} USING (m_file, m_row) ORDER BY m_place`,
    );
    return found.map(([place]) => BigInt(String(place)));
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${table}`);
  }
}

const POSITIONS_PER_STATEMENT = 100_000;

async function deletedTable(
  connection: Connection,
  { relation }: GroupRows,
  deleted: readonly DeletedOfFile[],
): Promise<string> {
  const table = `moraine_deleted_${randomUUID().replaceAll('-', '')}`;
  await connection.run(`CREATE TEMPORARY TABLE ${table} (m_file BIGINT, m_row BIGINT)`);
  const gone = deleted.filter(({ positions }) => positions === 'every-row').map(({ file }) => file);
  if (gone.length > 0) {
    await connection.run(
      `INSERT INTO ${table} SELECT m_file, m_row FROM ${relation} WHERE m_file IN (${gone.join(', ')})`,
    );
  }
  for (const { file, positions } of deleted) {
    if (positions === 'every-row') continue;
    for (let start = 0; start < positions.length; start += POSITIONS_PER_STATEMENT) {
      const some = positions.slice(start, start + POSITIONS_PER_STATEMENT).join(', ');
      await connection.run(`INSERT INTO ${table} SELECT ${file}, unnest([${some}]::BIGINT[])`);
    }
  }
  return table;
}

/** A row that was left out because of one that has been deleted since would be served in its place, had it not been left out. */
async function refuseUncovered(
  connection: Connection,
  plan: StoredPlan,
  rows: GroupRows,
  table: string,
): Promise<void> {
  const { online } = plan.head;
  if (online === null) return;
  const key = columnAlias(online.keyId);
  const marked = `SELECT ${key}, m_kept, d.m_row IS NOT NULL AS m_gone FROM ${rows.relation} AS r LEFT JOIN ${table} AS d USING (m_file, m_row)`;
  const [found] = await connection.rows(
    `SELECT 1 FROM (${marked}) GROUP BY ${key} HAVING bool_or(m_kept AND m_gone) AND bool_or(NOT m_kept AND NOT m_gone) LIMIT 1`,
  );
  if (found === undefined) return;
  throw new MoraineError(
    'COMMIT_CONFLICT',
    'A row has been deleted since the compaction was planned that took the place of older ones: plan again.',
  );
}
