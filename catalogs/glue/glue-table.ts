/** A table as Glue has it. */
import type { Table, TableInput } from '@aws-sdk/client-glue';
import type { TablePointer } from '../catalog-store.js';
import { type HiveColumn, hiveColumns } from '../hive-columns.js';

const TABLE_TYPE = 'table_type';
const METADATA_LOCATION = 'metadata_location';
const PREVIOUS_METADATA_LOCATION = 'previous_metadata_location';
/** Glue takes comments up to this length. */
const LONGEST_COMMENT = 255;
/** The type of an entry that is being renamed away: no engine takes it for an Iceberg table any more. */
const MOVED = 'MOVED_ICEBERG';

/** The metadata file that an entry points at; null for what is no Iceberg table. */
export function metadataLocationOf({ Parameters = {} }: Table): string | null {
  if (Parameters[TABLE_TYPE]?.toUpperCase() !== 'ICEBERG') return null;
  return Parameters[METADATA_LOCATION] ?? null;
}

/** A new entry. */
export function newTableInput(name: string, table: TablePointer): TableInput {
  return pointedAt({ Name: name, TableType: 'EXTERNAL_TABLE' }, table);
}

/** An entry after a commit: whatever others have added to it stays. */
export function committedTableInput(entry: Table, table: TablePointer): TableInput {
  const previous = metadataLocationOf(entry);
  const input = inputOf(entry);
  const Parameters = { ...input.Parameters, ...(previous === null ? {} : { [PREVIOUS_METADATA_LOCATION]: previous }) };
  return pointedAt({ ...input, Parameters }, table);
}

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
  return {
    ...input,
    Parameters: { ...input.Parameters, [TABLE_TYPE]: 'ICEBERG', [METADATA_LOCATION]: metadataLocation },
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
