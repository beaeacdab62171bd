/** The smallest event time that a run with an end leaves for the next one. */
import { columnAlias, type Engine, readableScanSql } from '../engine/index.js';
import { currentSchema } from '../iceberg/index.js';
import { whileReading } from '../scans/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';
import { eventTimeColumn, eventTimeFilter } from './event-time-filter.js';
import { openPlanned } from './open-files.js';
import type { PlannedSourceFile } from './plan.js';

/** Microseconds; null if no row of the source's files has an event time from `fromUs` on. */
export async function smallestEventTimeUs(
  deps: { readonly io: FileIO; readonly engine: Engine },
  table: Table,
  eventTimeFieldId: number,
  files: readonly PlannedSourceFile[],
  fromUs: bigint,
  snapshotId: bigint | null,
  signal?: AbortSignal,
): Promise<bigint | null> {
  if (files.length === 0) return null;
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const name = columnAlias(eventTimeFieldId);
  const column = eventTimeColumn(schema, eventTimeFieldId);
  const filter = eventTimeFilter(column, name, { startUs: fromUs, endUs: null });
  return deps.engine.withConnection(
    async (connection) => {
      const opened = await openPlanned(connection, table, files, snapshotId);
      const wanted = { columns: [eventTimeFieldId], naming: 'id', ...(filter && { filter }) } as const;
      const scan = await readableScanSql(connection, { ...opened, schema, ...wanted });
      const sql = `SELECT CAST(epoch_us(min(${name})) AS VARCHAR) FROM ${scan}`;
      const [row] = await whileReading(connection, [opened], () => connection.rows(sql));
      const text = row?.[0];
      return typeof text === 'string' ? BigInt(text) : null;
    },
    { signal },
  );
}
