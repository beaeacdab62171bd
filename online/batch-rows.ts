/** The rows of batches that applications write, as rows of an online table. */
import { randomUUID } from 'node:crypto';
import { type Connection, loadRows } from '../engine/index.js';
import type { Definitions, FeatureView } from '../features/index.js';
import type { NestedField, Schema } from '../iceberg/index.js';
import { type EntityKeyPart, entityKeySql } from './entity-key.js';
import type { FeatureValue } from './feature-value.js';
import { ONLINE_COLUMNS } from './online-columns.js';
import { onlineRowSql } from './online-row.js';
import { joinKeysOf } from './view-columns.js';

/** The columns that a batch has: join keys, features, `event_timestamp` and `created_timestamp`. */
export interface BatchColumns {
  /** Join keys and `event_timestamp` are required. */
  readonly schema: Schema;
  /** Features that each batch has to have. One that the view has no longer may be left out until its column goes. */
  readonly features: readonly string[];
  /** Other names that the two times may have in a batch, with those of the schema. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** Rows of a batch, which are read when the columns are known. What reading throws is the fault of the batch. */
export type BatchRows =
  /** A statement that gives exactly the columns of the schema, in their order and types. */
  | { readonly open: (connection: Connection, columns: BatchColumns) => Promise<string> }
  /** Values in the order of the schema, each of its type; none is null where a column is required. */
  | { readonly read: (columns: BatchColumns) => readonly (readonly FeatureValue[])[] };

/** A batch with the time that its rows without a created time get, in microseconds since the epoch. */
export interface TimedRows {
  readonly rows: BatchRows;
  readonly nowUs: bigint;
}

/** Batches as one relation, whose columns are `b0..` in the order of the schema, `now_us` and `batch`, the place of the row's batch. */
export interface OpenedBatches {
  readonly columns: BatchColumns;
  readonly sql: string;
  /** What reading each batch threw; undefined: its rows are in the relation. */
  readonly errors: readonly unknown[];
  /** Rows of each batch that were counted while they were read. */
  readonly counts: readonly (bigint | undefined)[];
  readonly count: number;
}

/** Opens batches in their order. One that cannot be read is left out. */
export async function openBatches(
  connection: Connection,
  columns: BatchColumns,
  batches: readonly TimedRows[],
): Promise<OpenedBatches> {
  const errors: unknown[] = batches.map(() => undefined);
  const counts: (bigint | undefined)[] = batches.map(() => undefined);
  const names = columns.schema.fields.map((_, index) => `b${index}`);
  const loaded: (readonly FeatureValue[])[] = [];
  const parts: string[] = [];
  for (const [place, { rows, nowUs }] of batches.entries()) {
    try {
      if ('open' in rows) {
        const sql = await rows.open(connection, columns);
        parts.push(`SELECT *, ${nowUs}::BIGINT, ${place} FROM (${sql})`);
        continue;
      }
      const values = rows.read(columns);
      for (const row of values) loaded.push([...row, nowUs, place]);
      counts[place] = BigInt(values.length);
    } catch (error) {
      errors[place] = error;
    }
  }
  if (loaded.length > 0 || parts.length === 0) {
    const table = `batch_rows_${randomUUID().replaceAll('-', '')}`;
    const types = [...columns.schema.fields.map(({ type }) => type), { kind: 'long' }, { kind: 'int' }] as const;
    await loadRows(connection, table, types, loaded);
    parts.push(`SELECT * FROM ${table}`);
  }
  const sql = `SELECT * FROM (${parts.join(' UNION ALL ')}) AS batches(${[...names, 'now_us', 'batch'].join(', ')})`;
  return { columns, sql, errors, counts, count: batches.length };
}

/**
 * The rows of opened batches as rows of the online table. Of rows of different batches that tie in entity, event time and created time only those of
 * the last batch are left, as if each batch had a commit of its own.
 * @param schema of the online table
 */
export function onlineSelect(
  schema: Schema,
  keys: readonly EntityKeyPart[],
  { columns, sql, count }: OpenedBatches,
  { view, pushed }: { readonly view: FeatureView; readonly pushed: boolean },
): string {
  const values = new Map(columns.schema.fields.map(({ name }, index) => [name, `b${index}`]));
  const of = (name: string): string => values.get(name) ?? 'NULL';
  const keyColumns = keys.map(({ name }) => of(name));
  const given = of(ONLINE_COLUMNS.createdTimestamp);
  const hasCreated = view.source.createdTimestampField !== undefined;
  const created = hasCreated ? `coalesce(${given}, make_timestamptz(now_us))` : given;
  const identity = [...keyColumns, of(ONLINE_COLUMNS.eventTimestamp), created].join(', ');
  const newest = count === 1 ? '' : ` QUALIFY batch = max(batch) OVER (PARTITION BY ${identity})`;
  values
    .set(ONLINE_COLUMNS.createdTimestamp, created)
    .set(ONLINE_COLUMNS.pushed, String(pushed))
    .set(ONLINE_COLUMNS.entityKey, entityKeySql(keys, keyColumns));
  return `SELECT ${onlineRowSql(schema, values)} FROM (${sql}) AS rows${newest}`;
}

/** @param schema of the online table */
export function batchColumns(schema: Schema, view: FeatureView, definitions: Definitions): BatchColumns {
  const { entityKey, pushed, eventTimestamp, createdTimestamp } = ONLINE_COLUMNS;
  const required = new Set<string>([...joinKeysOf(view, definitions), eventTimestamp]);
  const fields = schema.fields.flatMap((field): readonly NestedField[] => {
    if (field.name === entityKey || field.name === pushed) return [];
    return [{ ...field, required: required.has(field.name) }];
  });
  const isDefined = (name: string): boolean => view.features?.some((feature) => feature.name === name) ?? true;
  const features = fields.flatMap(({ name }) =>
    required.has(name) || name === createdTimestamp || !isDefined(name) ? [] : [name],
  );
  const { timestampField, createdTimestampField } = view.source;
  const aliases = new Map<string, string>([[timestampField, eventTimestamp]]);
  for (const name of ['created', createdTimestampField]) if (name !== undefined) aliases.set(name, createdTimestamp);
  for (const { name } of fields) aliases.delete(name);
  return { schema: { ...schema, fields }, features, aliases };
}
