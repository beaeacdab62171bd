/** The smallest event time that a run with an end leaves for the next one. */
import { columnAlias, type Engine, scanSql } from '../engine/index.js';
import type { Schema } from '../iceberg/index.js';
import { eventTimeColumn, eventTimeCondition } from './event-time-filter.js';
import type { OpenFile } from './extract-sql.js';

/** Microseconds; null if no row has an event time from `fromUs` on. */
export async function smallestEventTimeUs(
  engine: Engine,
  schema: Schema,
  eventTimeFieldId: number,
  files: readonly OpenFile[],
  fromUs: bigint,
  signal?: AbortSignal,
): Promise<bigint | null> {
  if (files.length === 0) return null;
  const name = columnAlias(eventTimeFieldId);
  const condition = eventTimeCondition(eventTimeColumn(schema, eventTimeFieldId), name, {
    startUs: fromUs,
    endUs: null,
  });
  const scan = scanSql({ schema, files, columns: [eventTimeFieldId], naming: 'id' });
  const sql = `SELECT CAST(epoch_us(min(${name})) AS VARCHAR) FROM ${scan} WHERE ${condition}`;
  const [row] = await engine.withConnection((connection) => connection.rows(sql), { signal });
  const text = row?.[0];
  return typeof text === 'string' ? BigInt(text) : null;
}
