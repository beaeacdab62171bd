import { MoraineError } from '../../errors/index.js';
import type { SortOrder } from '../metadata/sort-order.js';
import { findField, findFieldByName } from '../schema/schema.js';
import { typeToString } from '../schema/schema-json.js';
import type { Schema } from '../schema/types.js';
import type { PartitionSpec } from './partition-spec.js';
import { canTransform, transformToString } from './transforms.js';

/**
 * Checks a new partition spec against the schema it is for: source columns, transforms, unique names that clash with no column.
 * @throws MoraineError `SCHEMA_INVALID`
 */
export function checkPartitionSpec(spec: PartitionSpec, schema: Schema): void {
  const names = new Set<string>();
  const ids = new Set<number>();
  for (const field of spec.fields) {
    const what = `partition field '${field.name}'`;
    checkTransform(field, schema, what);
    if (names.has(field.name)) fail(`There are two partition fields named '${field.name}'.`);
    if (ids.has(field.fieldId)) fail(`Two partition fields have the id ${field.fieldId}.`);
    names.add(field.name);
    ids.add(field.fieldId);
    const column = findFieldByName(schema, field.name);
    const isOwnColumn = column?.id === field.sourceId && ['identity', 'void'].includes(field.transform.kind);
    if (column !== undefined && !isOwnColumn) fail(`The ${what} has the name of a column; give it another name.`);
  }
}

/**
 * Checks a new sort order against the schema it is for.
 * @throws MoraineError `SCHEMA_INVALID`
 */
export function checkSortOrder(order: SortOrder, schema: Schema): void {
  for (const field of order.fields) checkTransform(field, schema, 'sort field');
}

function checkTransform(
  field: PartitionSpec['fields'][number] | SortOrder['fields'][number],
  schema: Schema,
  what: string,
): void {
  const source = findField(schema, field.sourceId);
  const transform = transformToString(field.transform);
  // A void field may outlive its column.
  if (source === undefined && field.transform.kind === 'void') return;
  if (source === undefined) return fail(`The ${what} has source id ${field.sourceId}, which is not in the schema.`);
  if (field.transform.kind === 'unknown')
    return fail(`The ${what} has the transform '${transform}', which is not known.`);
  if (!canTransform(field.transform, source.type)) {
    fail(
      `The ${what}: ${transform} cannot be applied to column '${source.name}' of type ${typeToString(source.type)}.`,
    );
  }
}

function fail(message: string): never {
  throw new MoraineError('SCHEMA_INVALID', message);
}
