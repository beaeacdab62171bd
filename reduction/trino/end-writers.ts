/** Queries that write into staging tables which nobody is going to read. */
import { type TableIdentifier, type TrinoClient, TrinoFailure, trinoLiteral } from '../../catalogs/index.js';
import { SYSTEM_RIGHTS } from './trino-error.js';

/** Trino ends a query within moments of being asked to. */
const ENDS_WITHIN_MS = 15_000;
const LOOK_INTERVAL_MS = 200;

/** Ends the queries, whoever sent them, and waits until they have ended: what one of them wrote after its table is gone would stay. */
export async function endWriters(client: TrinoClient, tables: readonly Pick<TableIdentifier, 'name'>[]): Promise<void> {
  const { clock } = client;
  const giveUpMs = clock.monotonicMs() + ENDS_WITHIN_MS;
  let running = await writersOf(client, tables);
  for (const id of running) {
    await client.write(killSql(id)).catch(() => undefined);
  }
  while (running.length > 0 && clock.monotonicMs() < giveUpMs) {
    await clock.sleep(LOOK_INTERVAL_MS);
    running = await writersOf(client, tables);
  }
}

const killSql = (id: string): string =>
  `CALL system.runtime.kill_query(query_id => ${trinoLiteral(id)}, message => 'Moraine gave it up')`;

/**
 * The right to end queries that the user lacks; undefined: the user has it. Runs need it only after a lost answer.
 * @param ended a query of the user that has ended, and so cannot be: Trino says that to whoever may call the procedure
 */
export async function lackOfRights(client: TrinoClient, ended: string): Promise<string | undefined> {
  try {
    await writersOf(client, [{ name: ended }]);
    await client.write(killSql(ended));
  } catch (error) {
    const isRight = error instanceof TrinoFailure && error.errorName === 'PERMISSION_DENIED';
    if (isRight) return `A query whose answer is lost cannot be ended (${error.message}). ${SYSTEM_RIGHTS}`;
  }
  return undefined;
}

/** Ids of queries that have not ended. Of one whose answer was lost nothing else is known than what it writes into, whose name no other table has. */
async function writersOf(
  client: TrinoClient,
  tables: readonly Pick<TableIdentifier, 'name'>[],
): Promise<readonly string[]> {
  if (tables.length === 0) return [];
  const running = `state NOT IN ('FINISHED', 'FAILED') AND starts_with(query, 'INSERT')`;
  const names = tables.map(({ name }) => `strpos(query, ${trinoLiteral(name)}) > 0`);
  const sql = `SELECT query_id FROM system.runtime.queries WHERE ${running} AND (${names.join(' OR ')})`;
  const ids: string[] = [];
  for await (const [id] of client.query(sql)) if (typeof id === 'string') ids.push(id);
  return ids;
}
