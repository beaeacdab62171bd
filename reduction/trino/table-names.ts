/** What Trino does not find by its name: it reads names of schemas, tables and columns in lower case. Pure. */
import { formatTableName, type TableIdentifier } from '../../catalogs/index.js';
import { currentSchema, findSnapshot, type Schema, type TableMetadata } from '../../iceberg/index.js';

/** A table, and the states of it that are read; null: one without rows. */
interface NamedRead {
  readonly identifier: TableIdentifier;
  readonly metadata: TableMetadata;
  readonly snapshotIds: readonly (bigint | null)[];
}

/** Why Trino does not find a table, or some of its columns; null: it does. */
export function nameObstacle({ identifier, metadata, snapshotIds }: NamedRead): string | null {
  const { namespace, name } = identifier;
  if ([...namespace, name].some((part) => part !== part.toLowerCase()))
    return `Trino reads names of tables in lower case, and does not find ${formatTableName(identifier)}`;
  for (const schema of schemasOf(metadata, snapshotIds)) {
    const names = new Map<string, string>();
    for (const { name: column } of schema.fields) {
      const other = names.get(column.toLowerCase());
      if (other !== undefined) return `Trino does not tell the columns '${other}' and '${column}' apart`;
      names.set(column.toLowerCase(), column);
    }
  }
  return null;
}

/** The table's schema, and those that Trino shows of the snapshots. */
function schemasOf(metadata: TableMetadata, snapshotIds: NamedRead['snapshotIds']): readonly Schema[] {
  const ids = new Set(snapshotIds.map((id) => (id === null ? undefined : findSnapshot(metadata, id)?.schemaId)));
  return [currentSchema(metadata), ...metadata.schemas.filter(({ schemaId }) => ids.has(schemaId))];
}
