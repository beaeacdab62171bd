/** The health of a table. Runs in a process of its own: a table may have very many files. */
import { serialize } from 'node:v8';
import { tableHealth } from '../maintenance/index.js';
import type { Project } from '../project/index.js';
import type { OfflineOutput } from './offline-output.js';

export interface HealthWork {
  /** Name of the table. */
  readonly table: string;
}

/** Writes the figures for `readHealth`. @throws as `tableHealth` */
export async function answerHealth(project: Project, { table }: HealthWork, output: OfflineOutput): Promise<void> {
  const health = await tableHealth(await project.loadTable(table), BigInt(Date.now()));
  output.begin({ rows: 0, snapshots: new Map() });
  await output.write(serialize(health));
}
