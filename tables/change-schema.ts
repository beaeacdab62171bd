/** Replacing a table's schema by one that evolved from it. */
import type { CommitRequest } from '../catalogs/index.js';
import { largest } from '../errors/index.js';
import { LAST_ADDED, type Schema, type TableMetadata } from '../iceberg/index.js';

/**
 * A commit that makes a schema the current one. It is refused if somebody else has changed the schema, or given a field id, since the metadata was read.
 * @param schema its id is not looked at: a table that had the same schema before keeps that one's id, others get the next one
 */
export function changeSchema(metadata: TableMetadata, schema: Schema): CommitRequest {
  const { tableUuid, lastColumnId, currentSchemaId, schemas } = metadata;
  const schemaId = largest(schemas.map((each) => each.schemaId)) + 1;
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: tableUuid },
      { type: 'assert-last-assigned-field-id', lastAssignedFieldId: lastColumnId },
      { type: 'assert-current-schema-id', currentSchemaId },
    ],
    updates: [
      { action: 'add-schema', schema: { ...schema, schemaId } },
      { action: 'set-current-schema', schemaId: LAST_ADDED },
    ],
  };
}
