/** Queries that write into staging tables which nobody is going to read. */
import { type TableIdentifier, type TrinoClient, trinoLiteral } from '../../catalogs/index.js';

/** Trino ends a query within moments of being asked to. */
const ENDS_WITHIN_MS = 15_000;
const LOOK_INTERVAL_MS = 200;

/** Ends the queries, whoever sent them, and waits until they have ended: what one of them wrote after its table is gone would stay. */
export async function endWriters(client: TrinoClient, tables: readonly Pick<TableIdentifier, 'name'>[]): Promise<void> {
  const { clock } = client;
  const giveUpMs = clock.monotonicMs() + ENDS_WITHIN_MS;
  let running = await writersOf(client, tables);
  for (const id of running) {
    const call = `CALL system.runtime.kill_query(query_id => ${trinoLiteral(id)}, message => 'Moraine gave it up')`;
    await client.write(call).catch(() => undefined);
  }
  while (running.length > 0 && clock.monotonicMs() < giveUpMs) {
    await clock.sleep(LOOK_INTERVAL_MS);
    running = await writersOf(client, tables);
  }
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
