/** Types of the columns of entity rows that come without one: files without rows, and columns of which no row has a value. */
import { scanSql, sqlType } from '../../engine/index.js';
import type { IcebergType, NestedField, Schema } from '../../iceberg/index.js';
import { isTimestampType } from '../definitions/feature-type.js';
import type { SqlSession } from '../sql-session.js';
import { type EntityRelation, EVENT_TIMESTAMP } from './entity-frame.js';

/** Types of the join keys by their name in the frame. */
export type KeyTypes = ReadonlyMap<string, IcebergType>;

const TIME: IcebergType = { kind: 'timestamptz' };

/**
 * The relation with a type for each column that has none: a join key has the type of the views, the time is a point in time, others
 * are texts. Rows without columns, of which there are none, get the join keys and the time.
 */
export async function withKnownTypes(
  session: SqlSession,
  entities: EntityRelation,
  keyTypes: KeyTypes,
): Promise<EntityRelation> {
  const { schema, relation } = entities;
  if (schema.fields.length === 0) return { ...entities, ...noEntities(keyTypes) };
  const unknown = schema.fields.filter((field) => isUntyped(entities, field));
  if (unknown.length === 0) return entities;
  const time = await untypedTime(session, entities, keyTypes);
  const typeOf = (name: string): IcebergType => keyTypes.get(name) ?? (name === time ? TIME : { kind: 'string' });
  const fields = schema.fields.map((field) =>
    unknown.includes(field) ? { ...field, type: typeOf(field.name) } : field,
  );
  const columns = fields.map(({ type }, index) =>
    type === schema.fields[index]?.type ? `c${index}` : `NULL::${sqlType(type)} AS c${index}`,
  );
  const names = fields.map((_, index) => `c${index}`).join(', ');
  return {
    ...entities,
    schema: { ...schema, fields },
    relation: `(SELECT ${columns.join(', ')} FROM ${relation} AS e(${names}))`,
  };
}

function isUntyped({ untyped }: EntityRelation, { name, type }: NestedField): boolean {
  return type.kind === 'unknown' || untyped?.includes(name) === true;
}

/** The untyped column of times: `event_timestamp`, else the only one that it can be, if there are no rows to contradict. */
async function untypedTime(
  session: SqlSession,
  entities: EntityRelation,
  keyTypes: KeyTypes,
): Promise<string | undefined> {
  const { fields } = entities.schema;
  if (fields.some(({ name }) => name === EVENT_TIMESTAMP)) return EVENT_TIMESTAMP;
  if (fields.some(({ type }) => isTimestampType(type))) return undefined;
  const candidates = fields.filter((field) => isUntyped(entities, field) && !keyTypes.has(field.name));
  if (candidates.length !== 1) return undefined;
  const isEmpty = (await session.rows(`SELECT 1 FROM ${entities.relation} LIMIT 1`)).length === 0;
  return isEmpty ? candidates[0]?.name : undefined;
}

/** A relation without rows, with the columns that every frame has. */
export function noEntities(keyTypes: KeyTypes): EntityRelation {
  const fields: NestedField[] = [];
  for (const [name, type] of [...keyTypes, [EVENT_TIMESTAMP, TIME] as const]) {
    fields.push({ id: fields.length + 1, name, required: false, type });
  }
  const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields };
  return { schema, relation: scanSql({ schema, files: [], naming: 'id' }) };
}
