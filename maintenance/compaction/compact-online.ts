/** Online tables as compaction sees them: what they are known by, and how their rows are chosen. */
import { isMoraineError } from '../../errors/index.js';
import { currentSchema, type NestedField, type TableMetadata } from '../../iceberg/index.js';
import { joinKeysOfTable, ONLINE_COLUMNS, onlineColumns } from '../../online/index.js';
import type { OnlineRows } from './compact-plan.js';

/** The columns of an online table by what they are for; null: the table is another kind of table. */
export function onlineRowsOf(metadata: TableMetadata, name: string): OnlineRows | null {
  const joinKeys = joinKeysOfTable(metadata);
  if (joinKeys === null) return null;
  const schema = currentSchema(metadata);
  const pushed = schema.fields.find((field) => field.name === ONLINE_COLUMNS.pushed);
  try {
    const columns = onlineColumns(schema, joinKeys, name);
    if (pushed === undefined) return null;
    const id = (field: NestedField): number => field.id;
    return {
      keyId: columns.lookup.id,
      eventTimeId: columns.eventTimestamp.id,
      createdId: columns.createdTimestamp.id,
      pushedId: pushed.id,
      featureIds: columns.features.map(id),
      joinKeyIds: schema.fields.filter((field) => joinKeys.includes(field.name)).map(id),
    };
  } catch (error) {
    if (isMoraineError(error, 'METADATA_CORRUPT')) return null;
    throw error;
  }
}
