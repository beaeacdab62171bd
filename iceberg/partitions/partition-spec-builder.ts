import { MoraineError } from '../../errors/index.js';
import { columnNotFound } from '../schema/column-not-found.js';
import { findFieldByName } from '../schema/schema.js';
import type { Schema } from '../schema/types.js';
import { FIRST_PARTITION_FIELD_ID, type PartitionField, type PartitionSpec } from './partition-spec.js';
import { checkPartitionSpec } from './spec-check.js';
import { parseTransform, type Transform } from './transforms.js';

/** One item of the list: `column`, `transform(column)` or `transform[n](column)`; a column may be quoted, `""` doubled. */
const ITEM = /\s*(?:([a-z]+(?:\s*\[\s*\d+\s*\])?)\s*\(\s*)?(?:"((?:[^"]|"")+)"|([^\s"(),[\]]+))\s*(\))?\s*(,|$)/iy;

/**
 * Reads a partition spec as people write it: `month(date), bucket[16](id), "odd name"`. Fields are named as other engines
 * name them: `date_month`, `id_bucket`, `name_trunc`, and the column's own name for identity.
 * @param schema the schema that columns are looked up in
 * @throws MoraineError `COLUMN_NOT_FOUND` for an unknown column, `SCHEMA_INVALID` for anything else
 */
export function parsePartitionSpec(text: string, schema: Schema): PartitionSpec {
  const fields: PartitionField[] = [];
  const item = new RegExp(ITEM);
  let position = 0;
  while (text.slice(position).trim() !== '') {
    item.lastIndex = position;
    const match = item.exec(text);
    const [whole = '', transform, quoted, bare = '', close, separator] = match ?? [];
    const unbalanced = (transform === undefined) !== (close === undefined);
    if (match === null || unbalanced) return malformed(text, position);
    fields.push(
      fieldOf(transform, quoted?.replaceAll('""', '"') ?? bare, schema, FIRST_PARTITION_FIELD_ID + fields.length),
    );
    position += whole.length;
    if (separator === ',' && text.slice(position).trim() === '') return malformed(text, position);
  }
  const spec = { specId: 0, fields };
  checkPartitionSpec(spec, schema);
  return spec;
}

function fieldOf(transformText: string | undefined, column: string, schema: Schema, fieldId: number): PartitionField {
  const source = findFieldByName(schema, column);
  if (source === undefined) throw columnNotFound(schema, column, 'to partition by');
  const transform = parseTransform(transformText ?? 'identity');
  return { sourceId: source.id, fieldId, name: partitionFieldName(column, transform), transform };
}

/** The name that a partition field has unless it is given one. */
export function partitionFieldName(column: string, transform: Transform): string {
  switch (transform.kind) {
    case 'identity':
      return column;
    case 'truncate':
      return `${column}_trunc`;
    case 'void':
      return `${column}_null`;
    case 'unknown':
      throw new MoraineError(
        'SCHEMA_INVALID',
        `'${transform.text}' is not a transform; use identity, year, month, day, hour, bucket[n], truncate[n] or void.`,
      );
    default:
      return `${column}_${transform.kind}`;
  }
}

function malformed(text: string, position: number): never {
  throw new MoraineError(
    'SCHEMA_INVALID',
    `The partition spec '${text}' cannot be read at position ${position + 1}; write it like month(date), bucket[16](id).`,
  );
}
