/** Changing the schema of a table before records are staged that ask for it. */
import type { Connection, Engine } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import {
  currentSchema,
  evolveSchema,
  fieldPath,
  highestFieldId,
  type Schema,
  type SchemaChange,
  type TableMetadata,
} from '../../iceberg/index.js';
import {
  changeSchema,
  commitUnmoved,
  hasCode,
  reload,
  requireWritable,
  retryConflicts,
  type Table,
} from '../../tables/index.js';
import type { SinkRecords } from '../sink-records.js';

/** A record shows some of its faults at a time: a column becomes wider in a few rounds, and fields become columns in some more. */
const maxRounds = ({ fields }: Schema): number => 100 + 2 * fields.length;

/**
 * Makes the changes that records ask for, in one commit without a snapshot, checked against changes of others.
 * @param required columns that stay required
 * @returns the table with them
 * @throws MoraineError `SCHEMA_INVALID` for a change that the rules of Iceberg forbid; `COMMIT_CONFLICT`, `COMMIT_STATE_UNKNOWN`
 */
export async function evolveTable(
  engine: Engine,
  table: Table,
  records: readonly SinkRecords[],
  required: readonly string[] = [],
): Promise<Table> {
  if (records.every((each) => each.changes === undefined)) return table;
  const catalog = requireWritable(table);
  let current = table;
  return await retryConflicts(
    catalog,
    async () => {
      const { metadata } = current;
      const wanted = await engine.withConnection((connection) => wantedSchema(connection, metadata, records, required));
      if (wanted === null) return current;
      try {
        return { ...current, ...(await commitUnmoved(catalog, current, changeSchema(metadata, wanted))) };
      } catch (error) {
        current = await reload(table, catalog);
        throw error;
      }
    },
    hasCode('COMMIT_CONFLICT', 'COMMIT_STATE_UNKNOWN'),
  );
}

/** The schema after all changes, or null if there are none. */
async function wantedSchema(
  connection: Connection,
  metadata: TableMetadata,
  records: readonly SinkRecords[],
  required: readonly string[],
): Promise<Schema | null> {
  const before = currentSchema(metadata);
  const { lastColumnId, formatVersion } = metadata;
  let schema = before;
  const evolved = (current: Schema, wanted: readonly SchemaChange[]): Schema => {
    const changes = wanted.filter((change) => isPossible(metadata, current, change, required));
    const context = { lastColumnId: Math.max(lastColumnId, highestFieldId(current)), formatVersion };
    return changes.length === 0 ? current : evolveSchema(current, changes, context);
  };
  for (const each of records) {
    for (let round = 0; ; round += 1) {
      const next = evolved(schema, (await each.changes?.(connection, schema, evolved)) ?? []);
      if (next === schema) break;
      if (round === maxRounds(schema))
        throw new MoraineError('INTERNAL', 'Records ask for changes of the schema without end.');
      schema = next;
    }
  }
  return schema === before ? null : schema;
}

/** Whether the table can have a change. Records that ask for another one are no rows. */
function isPossible(
  { partitionSpecs }: TableMetadata,
  schema: Schema,
  change: SchemaChange,
  required: readonly string[],
): boolean {
  // A partition field, also of an earlier spec, has its name for itself: other engines do not load a table whose column has it, too.
  if (change.change === 'add')
    return !partitionSpecs.some(({ fields }) => fields.some(({ name }) => name === change.name));
  return (
    change.change !== 'make-optional' || !(required.includes(change.column) || identifiesRows(schema, change.column))
  );
}

/** Whether a column, or a field inside of it, is an identifier field, which stays required with all that it lies in. */
function identifiesRows(schema: Schema, column: string): boolean {
  const kept = schema.identifierFieldIds.flatMap((id) => [id, ...(fieldPath(schema, id)?.parentIds ?? [])]);
  return schema.fields.some(({ id, name }) => name === column && kept.includes(id));
}
