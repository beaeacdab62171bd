/** The health of a table, asked of a process that reads its manifests. */
import { buffer } from 'node:stream/consumers';
import { deserialize } from 'node:v8';
import type { TableHealth } from '../maintenance/index.js';
import type { OfflineProcesses } from './offline-processes.js';

/** @throws OVERLOADED, SERVICE_CLOSING, and as `tableHealth` */
export async function readHealth(processes: OfflineProcesses, table: string): Promise<TableHealth> {
  const turn = await processes.begin();
  try {
    const { bytes } = await turn.run({ kind: 'health', request: { table } });
    return deserialize(await buffer(bytes)) as TableHealth;
  } finally {
    await turn.end();
  }
}
