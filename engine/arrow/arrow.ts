/** The Arrow bridge, loaded when it is first used: the library takes a fifth of a second, and most commands need none of it. */
import type { Schema as ArrowSchema, RecordBatch, Table } from 'apache-arrow';
import type { IcebergType, Schema } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import type { ArrowColumn } from './arrow-column.js';

/**
 * The rows of a relation (`sql` stands after FROM) whose columns have the schema's types and order, as record batches of at
 * most 2,048 rows. Integers, decimals and times are exact. An empty result gives no batch.
 */
export async function* arrowBatches(
  connection: Connection,
  sql: string,
  schema: Schema,
): AsyncGenerator<RecordBatch, void, undefined> {
  const { readBatches } = await import('./arrow-out.js');
  yield* readBatches(connection, sql, schema);
}

/** The Arrow schema of rows of an Iceberg schema: the types that hold every value exactly, field ids as metadata `PARQUET:field_id`. @throws UNSUPPORTED_FEATURE */
export async function arrowSchema(schema: Schema): Promise<ArrowSchema> {
  const types = await import('./arrow-types.js');
  return types.arrowSchema(schema);
}

/** All rows of a relation as {@link arrowBatches} gives them, in one table. */
export async function arrowTable(connection: Connection, sql: string, schema: Schema): Promise<Table> {
  const { readTable } = await import('./arrow-out.js');
  return readTable(connection, sql, schema);
}

/**
 * The Iceberg types of the columns of an Arrow table by name, as {@link registerArrow} gives them, of which nothing is copied.
 * @throws as {@link registerArrow}
 */
export async function arrowColumnTypes(table: Pick<Table, 'schema'>): Promise<ReadonlyMap<string, IcebergType>> {
  const { columnTypes } = await import('./arrow-in.js');
  return columnTypes(table);
}

/**
 * Copies an Arrow table into the temporary table `name`, with the columns `c0` and so on in the order of the schema: of a column with a `misfit` the plain numbers that Arrow has,
 * but for nested ones.
 * @throws as {@link registerArrow}
 */
export async function copyArrow(
  connection: Connection,
  name: string,
  table: Pick<Table, 'schema' | 'batches'>,
): Promise<readonly ArrowColumn[]> {
  const { copyColumns } = await import('./arrow-in.js');
  return await copyColumns(connection, name, table);
}

/**
 * Copies an Arrow table into a temporary table of the connection. Integers, decimals and times are exact; zoned timestamps become
 * TIMESTAMP WITH TIME ZONE whatever their zone, those of nanoseconds TIMESTAMP_NS in UTC; dictionaries become their values.
 * Returns the Iceberg types of the columns by name, for `typedRelation` and `knownRelation`; `unknown` for one of nulls.
 * @throws TYPE_MISMATCH for a type that is not supported (interval, 256-bit decimal), INVALID_ARGUMENT for
 * columns, or fields of one, whose names differ only by case
 */
export async function registerArrow(
  connection: Connection,
  name: string,
  table: Pick<Table, 'schema' | 'batches'>,
): Promise<ReadonlyMap<string, IcebergType>> {
  const { copyIn } = await import('./arrow-in.js');
  return await copyIn(connection, name, table);
}
