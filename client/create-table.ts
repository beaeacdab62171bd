import {
  type Catalog,
  ensureNamespace,
  type LoadedTable,
  type TableIdentifier,
  withTableDefaults,
} from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import { parsePartitionSpec, requireVersionTwoTypes, type Schema } from '../iceberg/index.js';

/** Description of a new table. */
export interface NewTable {
  /** Its columns; field ids are assigned afresh. */
  readonly schema: Schema;
  /** Partition transforms such as `month(date), bucket[16](id)`, or by field ids of `schema`, `month(#2)`; undefined or empty: unpartitioned. */
  readonly partition?: string | undefined;
  /** 2 by default; 3 has more types, row lineage and deletion vectors. */
  readonly formatVersion?: 2 | 3 | undefined;
}

/**
 * Creates a table, and its namespace if needed.
 *
 * @throws `TABLE_ALREADY_EXISTS`; `SCHEMA_INVALID` for transforms that do not fit the columns, and for types that the format version does not have
 */
export async function createTable(
  catalog: Catalog,
  identifier: TableIdentifier,
  table: NewTable,
): Promise<LoadedTable> {
  const { schema, partition = '', formatVersion = 2 } = table;
  if (formatVersion === 2) requireVersionTwoTypes(schema);
  const spec = partition.trim() === '' ? {} : { partitionSpec: parsePartitionSpec(partition, schema) };
  await ensureNamespace(catalog, identifier.namespace);
  return catalog.createTable(identifier, withTableDefaults({ schema, formatVersion, ...spec }));
}

/** The same for a table that somebody else may create meanwhile: then that one's columns and partitioning count. @throws `SCHEMA_INVALID` */
export async function createMissingTable(
  catalog: Catalog,
  identifier: TableIdentifier,
  table: NewTable,
): Promise<void> {
  try {
    await createTable(catalog, identifier, table);
  } catch (error) {
    if (!isMoraineError(error, 'TABLE_ALREADY_EXISTS')) throw error;
  }
}
