/** A table as Glue has it. */
import type { Table, TableInput } from '@aws-sdk/client-glue';
import type { TablePointer } from '../catalog-store.js';
import { type HiveColumn, hiveColumns } from '../hive-columns.js';
import { pointedLocation, pointingAt, TABLE_TYPE } from '../table-pointers.js';

/** Glue takes comments up to this length. */
const LONGEST_COMMENT = 255;
/** The type of an entry that is being renamed away: no engine takes it for an Iceberg table any more. */
const MOVED = 'MOVED_ICEBERG';

/** The metadata file that an entry points at; null for what is no Iceberg table. */
export const metadataLocationOf = ({ Parameters = {} }: Table): string | null =>
  pointedLocation(new Map(Object.entries(Parameters)));

/** A new entry. */
export function newTableInput(name: string, table: TablePointer): TableInput {
  return pointedAt({ Name: name, TableType: 'EXTERNAL_TABLE' }, table);
}

/** An entry after a commit: whatever others have added to it stays. */
export const committedTableInput = (entry: Table, table: TablePointer): TableInput => pointedAt(inputOf(entry), table);

/** The entry under another name. */
export const renamedTableInput = (entry: Table, name: string): TableInput => ({ ...inputOf(entry), Name: name });

/** The entry of the former name, until it is deleted. */
export function movedTableInput(entry: Table): TableInput {
  const input = inputOf(entry);
  return { ...input, Parameters: { ...input.Parameters, [TABLE_TYPE]: MOVED } };
}

/** Of an entry what may be written. */
function inputOf(entry: Table): TableInput {
  const { Name, Description, Owner, LastAccessTime, LastAnalyzedTime, Retention, StorageDescriptor } = entry;
  const { PartitionKeys, ViewOriginalText, ViewExpandedText, TableType, Parameters, TargetTable } = entry;
  const views = { ViewOriginalText, ViewExpandedText };
  const times = { LastAccessTime, LastAnalyzedTime };
  return {
    Name,
    ...{ Description, Owner, Retention, StorageDescriptor, PartitionKeys, TableType, Parameters, TargetTable },
    ...views,
    ...times,
  };
}

function pointedAt(input: TableInput, { metadataLocation, metadata }: TablePointer): TableInput {
  const parameters = new Map(Object.entries(input.Parameters ?? {}));
  return {
    ...input,
    Parameters: Object.fromEntries(pointingAt(parameters, metadataLocation)),
    StorageDescriptor: {
      ...input.StorageDescriptor,
      Columns: hiveColumns(metadata).map(columnOf),
      Location: metadata.location,
    },
  };
}

/** Source: Java's `IcebergToGlueConverter`, and PyIceberg, for the names of the parameters. */
function columnOf({ name, type, comment, field, isCurrent }: HiveColumn) {
  return {
    Name: name,
    Type: type,
    ...(comment === undefined ? {} : { Comment: comment.slice(0, LONGEST_COMMENT) }),
    Parameters: {
      'iceberg.field.id': String(field.id),
      'iceberg.field.optional': String(!field.required),
      'iceberg.field.current': String(isCurrent),
    },
  };
}
