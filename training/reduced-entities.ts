/** Entity rows by shard: what parts stage of them, and what a shard reads. */
import { type Connection, columnAlias, readableScanSql } from '../engine/index.js';
import type { EntityRelation } from '../features/index.js';
import { currentSchema, type Schema } from '../iceberg/index.js';
import { columnNamed, openReducedRows, type ReducedRows, requireAlike, schemaOf } from '../reduction/index.js';
import type { FileIO } from '../storage/index.js';
import { noRowsOf } from './entity-reference.js';
import { shardOfRowSql } from './entity-shards.js';

/** The columns of staged entity rows: the shard, and theirs in order. */
export function reducedEntitySchema({ fields }: Schema): Schema {
  return schemaOf([['shard', { kind: 'int' }], ...fields.map(({ type }, index) => [`c${index}`, type] as const)]);
}

/** Entity rows in the columns of {@link reducedEntitySchema}. */
export function reducedEntitiesSql(
  { relation, schema }: EntityRelation,
  columns: readonly string[],
  shards: number,
): string {
  const names = schema.fields.map((_, index) => `c${index}`).join(', ');
  const shard = `(${shardOfRowSql(schema, columns, shards)})::INTEGER`;
  return `SELECT ${shard} AS shard, ${names} FROM ${relation} AS e(${names})`;
}

/** The entity rows of one shard that parts have left. @throws METADATA_CORRUPT for rows in different columns */
export async function openReducedEntities(
  io: FileIO,
  connection: Connection,
  reduced: readonly ReducedRows[],
  schema: Schema,
): Promise<EntityRelation> {
  const rows = requireAlike(reduced, 'the entity rows');
  if (rows === undefined) return noRowsOf(schema);
  const { table, opened } = await openReducedRows(connection, io, rows);
  const staged = currentSchema(table.metadata);
  const columns = schema.fields.map((_, index) => columnNamed(staged, `c${index}`).id);
  const scan = await readableScanSql(connection, { ...opened, schema: staged, columns, naming: 'id' });
  return { schema, relation: `(SELECT ${columns.map(columnAlias).join(', ')} FROM ${scan})` };
}
