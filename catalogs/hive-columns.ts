/** A table's columns as Glue and Hive list them, for people and for engines that do not read Iceberg's own schema. */
import type { IcebergType, NestedField, TableMetadata } from '../iceberg/index.js';

/** A column with its type in Hive's language. */
export interface HiveColumn {
  readonly name: string;
  readonly type: string;
  readonly comment: string | undefined;
  readonly field: NestedField;
  /** Whether the table has it now; it was in a former schema otherwise. */
  readonly isCurrent: boolean;
}

/** Columns of the current schema, then those of former ones that have other names, as Java and PyIceberg list them. */
export function hiveColumns(metadata: TableMetadata): readonly HiveColumn[] {
  const columns = new Map<string, HiveColumn>();
  const isCurrent = ({ schemaId }: { readonly schemaId: number }): boolean => schemaId === metadata.currentSchemaId;
  const current = metadata.schemas.filter(isCurrent);
  const former = metadata.schemas.filter((schema) => !isCurrent(schema));
  for (const schema of [...current, ...former]) {
    for (const field of schema.fields) {
      if (columns.has(field.name)) continue;
      const { name, doc: comment } = field;
      columns.set(name, { name, type: hiveType(field.type), comment, field, isCurrent: isCurrent(schema) });
    }
  }
  return [...columns.values()];
}

/**
 * A type in Hive's language, which has no times, uuids or zones.
 * Source: "Hive data types", Apache Hive language manual; Java's `HiveSchemaUtil` and `IcebergToGlueConverter` choose the same ones.
 */
export function hiveType(type: IcebergType): string {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'float':
    case 'double':
    case 'date':
    case 'string':
    case 'binary':
      return type.kind;
    case 'long':
      return 'bigint';
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`;
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return 'timestamp';
    case 'fixed':
      return 'binary';
    case 'list':
      return `array<${hiveType(type.element)}>`;
    case 'map':
      return `map<${hiveType(type.key)},${hiveType(type.value)}>`;
    case 'struct':
      return `struct<${type.fields.map((field) => `${field.name}:${hiveType(field.type)}`).join(',')}>`;
    case 'time':
    case 'uuid':
    case 'unknown':
    case 'unsupported':
      return 'string';
  }
}
