/** What doctor finds out about Trino beside what a run does. */
import type { TableIdentifier, TrinoClient, TrinoWritten } from '../../catalogs/index.js';
import { type Connection, readableScanSql } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import { currentSchema, currentSnapshot, type IcebergType } from '../../iceberg/index.js';
import { openScan, planSource } from '../../scans/index.js';
import { loadTable, type Table } from '../../tables/index.js';
import { requireOwnSnapshots } from './own-snapshots.js';
import type { StagingPlace } from './staging-table.js';

/** The column of tables of one row. */
export const probeColumn: readonly [string, IcebergType] = ['probe', { kind: 'int' }];

interface ProbeRow {
  readonly place: StagingPlace;
  readonly client: TrinoClient;
  /** The table that Trino wrote into. */
  readonly identifier: TableIdentifier;
  readonly written: TrinoWritten;
  readonly value: number;
}

/**
 * Reads the row that Trino wrote. Where a catalog writes the metadata, that alone says nothing of where Trino has put the row: its store may be
 * another one with folders of the same names.
 * @throws MoraineError `TRINO_TABLE_DIFFERS`, `TRINO_QUERY_FAILED`
 */
export async function requireRowRead(connection: Connection, probe: ProbeRow): Promise<void> {
  const { place, client, identifier, written, value } = probe;
  const differs = (what: string, cause?: unknown): MoraineError => {
    const message = `What Trino ${client.place.server} has written cannot be read: ${what} Trino has to reach the same store as catalog ${place.catalog.name}.`;
    return new MoraineError('TRINO_TABLE_DIFFERS', message, { cause });
  };
  const why = (error: unknown): never => {
    throw differs(error instanceof Error ? error.message : String(error), error);
  };
  const table = await loadTable(place.catalog, place.io, identifier).catch(why);
  requireOwnSnapshots(table, [written]);
  const rows = await valuesOf(connection, table).catch(why);
  if (rows.length === 1 && rows[0] === value) return;
  throw differs(`its row is ${rows.join(', ') || 'none'}, not ${value}.`);
}

async function valuesOf(connection: Connection, table: Table): Promise<readonly unknown[]> {
  const schema = currentSchema(table.metadata);
  const source = { table, snapshot: currentSnapshot(table.metadata) ?? null, schema };
  const { scan } = await openScan(connection, source, await planSource(source));
  const rows = await connection.rows(`SELECT * FROM ${await readableScanSql(connection, { ...scan, schema })}`);
  return rows.map(([value]) => value);
}
