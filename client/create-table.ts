import { type Catalog, ensureNamespace, type LoadedTable, type TableIdentifier } from '../catalogs/index.js';
import { parsePartitionSpec, requireVersionTwoTypes, type Schema } from '../iceberg/index.js';

/** What a new table should be. */
export interface NewTable {
  /** Its columns; field ids are assigned afresh. */
  readonly schema: Schema;
  /** Partition transforms such as `month(date), bucket[16](id)`; undefined or empty: unpartitioned. */
  readonly partition?: string | undefined;
}

/**
 * Creates a table, and its namespace if needed.
 *
 * @throws `TABLE_ALREADY_EXISTS`; `SCHEMA_INVALID` for transforms that do not fit the columns, and for types of version 3
 */
export async function createTable(
  catalog: Catalog,
  identifier: TableIdentifier,
  table: NewTable,
): Promise<LoadedTable> {
  const { schema, partition = '' } = table;
  requireVersionTwoTypes(schema);
  const spec = partition.trim() === '' ? {} : { partitionSpec: parsePartitionSpec(partition, schema) };
  await ensureNamespace(catalog, identifier.namespace);
  return catalog.createTable(identifier, { schema, ...spec });
}
