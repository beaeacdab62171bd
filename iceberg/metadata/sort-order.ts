/** Sort orders. Source: Apache Iceberg specification, "Sorting". */

import type { JsonObject, JsonValue } from '../json.js';
import { JsonFields } from '../json-fields.js';
import { sourceIdOf } from '../partitions/partition-spec.js';
import type { Transform } from '../partitions/transforms.js';
import { parseTransform, transformToString } from '../partitions/transforms.js';

export interface SortField {
  readonly sourceId: number;
  readonly transform: Transform;
  readonly direction: 'asc' | 'desc';
  readonly nullOrder: 'nulls-first' | 'nulls-last';
}

/** A sort order; order id 0 is the unsorted order. */
export interface SortOrder {
  readonly orderId: number;
  readonly fields: readonly SortField[];
}

/** The order of tables whose files are in no order. */
export const UNSORTED: SortOrder = { orderId: 0, fields: [] };

/**
 * Reads a sort order.
 * @throws MoraineError `SCHEMA_INVALID` naming what is wrong
 */
export function parseSortOrder(json: JsonValue): SortOrder {
  const fields = new JsonFields(json, 'sort order', 'SCHEMA_INVALID');
  return { orderId: fields.int('order-id'), fields: fields.array('fields').map(parseSortField) };
}

function parseSortField(json: JsonValue): SortField {
  const fields = new JsonFields(json, 'sort field', 'SCHEMA_INVALID');
  const direction = fields.string('direction').toLowerCase();
  const nullOrder = fields.string('null-order').toLowerCase();
  if (direction !== 'asc' && direction !== 'desc')
    return fields.fail(`direction '${direction}' is neither asc nor desc`);
  if (nullOrder !== 'nulls-first' && nullOrder !== 'nulls-last') {
    return fields.fail(`null order '${nullOrder}' is neither nulls-first nor nulls-last`);
  }
  return { sourceId: sourceIdOf(fields), transform: parseTransform(fields.string('transform')), direction, nullOrder };
}

/** The JSON form of a sort order. */
export function sortOrderToJson(order: SortOrder): JsonObject {
  return {
    'order-id': order.orderId,
    fields: order.fields.map((field) => ({
      transform: transformToString(field.transform),
      'source-id': field.sourceId,
      direction: field.direction,
      'null-order': field.nullOrder,
    })),
  };
}
