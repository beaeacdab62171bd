/** Sort orders. Source: Apache Iceberg specification, "Sorting". */

import { type JsonObject, type JsonValue, jsonObject } from '../json.js';
import { JsonFields, membersOf } from '../json-fields.js';
import { parseSource, sourceToJson, type TransformSource } from '../partitions/partition-spec.js';

export interface SortField extends TransformSource {
  readonly direction: 'asc' | 'desc';
  readonly nullOrder: 'nulls-first' | 'nulls-last';
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** A sort order; order id 0 is the unsorted order. */
export interface SortOrder {
  readonly orderId: number;
  readonly fields: readonly SortField[];
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** The order of tables whose files are in no order. */
export const UNSORTED: SortOrder = { orderId: 0, fields: [] };

const ORDER_KEYS: ReadonlySet<string> = new Set(['order-id', 'fields']);
const FIELD_KEYS: ReadonlySet<string> = new Set(['source-id', 'source-ids', 'transform', 'direction', 'null-order']);

/**
 * Reads a sort order.
 * @throws MoraineError `SCHEMA_INVALID` naming what is wrong
 */
export function parseSortOrder(json: JsonValue): SortOrder {
  const fields = new JsonFields(json, 'sort order', 'SCHEMA_INVALID');
  return {
    orderId: fields.int('order-id'),
    fields: fields.array('fields').map(parseSortField),
    ...fields.unknownMembers(ORDER_KEYS),
  };
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
  return { ...parseSource(fields), direction, nullOrder, ...fields.unknownMembers(FIELD_KEYS) };
}

/** The JSON form of a sort order. */
export function sortOrderToJson(order: SortOrder): JsonObject {
  const fields = order.fields.map((field) =>
    jsonObject([
      ...sourceToJson(field),
      ['direction', field.direction],
      ['null-order', field.nullOrder],
      ...membersOf(field),
    ]),
  );
  return jsonObject([['order-id', order.orderId], ['fields', fields], ...membersOf(order)]);
}
