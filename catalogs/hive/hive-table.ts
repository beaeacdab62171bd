/** A table as a Hive metastore has it. */
import type { TablePointer } from '../catalog-store.js';
import { hiveColumns } from '../hive-columns.js';
import { pointedLocation, pointingAt } from '../table-pointers.js';
import {
  bool,
  type Fields,
  fieldsOf,
  i32,
  list,
  struct,
  structOf,
  TYPE,
  text,
  textMap,
  textMapOf,
  textOf,
  withFields,
} from './thrift-values.js';

/** Of `Table`. */
const FIELD = { name: 1, database: 2, owner: 3, created: 4, sd: 7, parameters: 9, tableType: 12 };

/** The metadata file that a table points at; null for what is no Iceberg table. */
export const metadataLocationOf = (table: Fields): string | null =>
  pointedLocation(textMapOf(table.get(FIELD.parameters)));

export const nameOf = (table: Fields): string => textOf(table.get(FIELD.name)) ?? '';

/** A new table. Hive moves no files of an external one. */
export function newTable(database: string, name: string, owner: string, table: TablePointer): Fields {
  const fields = fieldsOf({
    [FIELD.name]: text(name),
    [FIELD.database]: text(database),
    [FIELD.owner]: text(owner),
    [FIELD.tableType]: text('EXTERNAL_TABLE'),
    [FIELD.created]: i32(Math.floor(Date.now() / 1000)),
    [FIELD.sd]: struct(NEW_STORAGE),
    [FIELD.parameters]: textMap([['EXTERNAL', 'TRUE']]),
  });
  return pointedAt(fields, table);
}

/** The table under another name. */
export const renamedTable = (table: Fields, database: string, name: string): Fields =>
  withFields(table, { [FIELD.name]: text(name), [FIELD.database]: text(database) });

/** Whether the table asks for commits without locks. Source: Java's `HiveTableOperations`, property `engine.hive.lock-enabled`. */
export const isLockFree = ({ metadata }: TablePointer): boolean =>
  metadata.properties.get('engine.hive.lock-enabled')?.toLowerCase() === 'false';

/** What Java's library writes for tables that Hive itself does not read. */
const NEW_STORAGE = {
  3: text('org.apache.hadoop.mapred.FileInputFormat'),
  4: text('org.apache.hadoop.mapred.FileOutputFormat'),
  5: bool(false),
  6: i32(0),
  7: struct({ 2: text('org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'), 3: textMap([]) }),
  8: list(TYPE.string, []),
  9: list(TYPE.struct, []),
  10: textMap([]),
};

/** A table after a commit: whatever others have added to it stays. */
export function pointedAt(table: Fields, { metadataLocation, metadata }: TablePointer): Fields {
  const [COLUMNS, LOCATION] = [1, 2];
  const columns = hiveColumns(metadata).filter(({ isCurrent }) => isCurrent);
  const listed = columns.map(({ name, type, comment }) =>
    struct({ 1: text(name), 2: text(type), 3: text(comment ?? '') }),
  );
  const storage = withFields(structOf(table.get(FIELD.sd)), {
    [COLUMNS]: list(TYPE.struct, listed),
    [LOCATION]: text(metadata.location),
  });
  const parameters = pointingAt(textMapOf(table.get(FIELD.parameters)), metadataLocation);
  return withFields(table, {
    [FIELD.sd]: { type: TYPE.struct, value: storage },
    [FIELD.parameters]: textMap(parameters),
  });
}
