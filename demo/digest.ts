/** One digest of all rows that the demo leaves: equal on every storage and catalog, and computed anew by other engines. */
import { createHash } from 'node:crypto';
import { digestRows } from '../engine/index.js';
import type { Project } from '../project/index.js';
import { tableRows } from './steps.js';

/** Every table that the demo makes but the registry, whose rows have times of the run. */
const TABLES = [
  'demo.flights',
  'demo.airport_hourly',
  'demo.training_set',
  'moraine_online.airport_delay',
  'moraine_online.airport_traffic',
  'moraine_online.airport_history',
] as const;

export interface DemoDigest {
  /** SHA-256 of the lines `TABLE ROWS DIGEST` of the tables, in order, each ended by a line feed. */
  readonly digest: string;
  /** The digest of each table is that of saved datasets (docs/offline-store.md). */
  readonly tables: readonly { readonly table: string; readonly rows: string; readonly digest: string }[];
}

export async function digestTables(project: Project): Promise<DemoDigest> {
  const engine = await project.engine();
  const tables = [];
  for (const table of TABLES) {
    const { rows, digest } = await engine.withConnection(async (connection) => {
      const { relation, schema } = await tableRows(project, connection, table);
      return await digestRows(connection, `SELECT * FROM ${relation}`, schema);
    });
    tables.push({ table, rows: String(rows), digest });
  }
  const lines = tables.map(({ table, rows, digest }) => `${table} ${rows} ${digest}\n`);
  return { digest: createHash('sha256').update(lines.join('')).digest('hex'), tables };
}
