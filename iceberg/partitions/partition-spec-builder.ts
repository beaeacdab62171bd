import { MoraineError } from '../../errors/index.js';
import { columnNotFound } from '../schema/column-not-found.js';
import { fieldPath, findFieldByName } from '../schema/schema.js';
import type { Schema } from '../schema/types.js';
import { FIRST_PARTITION_FIELD_ID, type PartitionField, type PartitionSpec } from './partition-spec.js';
import { checkPartitionSpec } from './spec-check.js';
import { parseTransform, type Transform } from './transforms.js';

/**
 * One item of the list: `column`, `transform(column)` or `transform[n](column)`. A column is a name, which may be quoted, `""` doubled, or `#` and its field id.
 */
const ITEM =
  /\s*(?:([a-z]+(?:\s*\[\s*\d+\s*\])?)\s*\(\s*)?(?:"((?:[^"]|"")+)"|#(\d+)(?=[\s),]|$)|([^\s"(),[\]]+))\s*(\))?\s*(,|$)/iy;

/**
 * Reads a partition spec as people write it: `month(date), bucket[16](id), "odd name"`. Fields are named as other engines
 * name them: `date_month`, `id_bucket`, `name_trunc`, and the column's own name for identity. `day(#7)` is of the column with field id 7, whatever its
 * place and its name; a column that is called `#7` is quoted.
 * @param schema the schema that columns are looked up in, and whose field ids count
 * @throws MoraineError `COLUMN_NOT_FOUND` for an unknown column or id, `SCHEMA_INVALID` for anything else
 */
export function parsePartitionSpec(text: string, schema: Schema): PartitionSpec {
  const fields: PartitionField[] = [];
  const item = new RegExp(ITEM);
  let position = 0;
  while (text.slice(position).trim() !== '') {
    item.lastIndex = position;
    const match = item.exec(text);
    const [whole = '', transform, quoted, id, bare = '', close, separator] = match ?? [];
    const unbalanced = (transform === undefined) !== (close === undefined);
    if (match === null || unbalanced) return malformed(text, position);
    const source = id === undefined ? columnNamed(schema, quoted?.replaceAll('""', '"') ?? bare) : columnOf(schema, id);
    fields.push(fieldOf(transform, source, FIRST_PARTITION_FIELD_ID + fields.length));
    position += whole.length;
    if (separator === ',' && text.slice(position).trim() === '') return malformed(text, position);
  }
  const spec = { specId: 0, fields };
  checkPartitionSpec(spec, schema);
  return spec;
}

/** A column, and the name that partition fields of it begin with. */
interface SourceColumn {
  readonly id: number;
  readonly name: string;
}

function columnNamed(schema: Schema, name: string): SourceColumn {
  const source = findFieldByName(schema, name);
  if (source === undefined) throw columnNotFound(schema, name, 'to partition by');
  return { id: source.id, name };
}

function columnOf(schema: Schema, id: string): SourceColumn {
  const source = fieldPath(schema, Number(id));
  if (source !== undefined) return { id: source.field.id, name: source.path };
  const known = schema.fields.map((field) => `${field.id} (${field.name})`).join(', ');
  const message = `There is no column with the field id ${id} to partition by; the ids are ${known}.`;
  throw new MoraineError('COLUMN_NOT_FOUND', message);
}

function fieldOf(transformText: string | undefined, { id, name }: SourceColumn, fieldId: number): PartitionField {
  const transform = parseTransform(transformText ?? 'identity');
  return { sourceId: id, fieldId, name: partitionFieldName(name, transform), transform };
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
