/** The order that a compaction writes rows in, from what was asked for. */
import { didYouMean } from '../../errors/index.js';
import { currentSchema, isPrimitive, type Schema, type TableMetadata, transformToString } from '../../iceberg/index.js';
import type { RowOrder, SortTerm } from './compact-plan.js';
import { type CompactRequest, invalid } from './compact-request.js';

/**
 * @param isOnline rows of online tables keep the table's order under every strategy: lookups rely on it
 * @throws INVALID_ARGUMENT for a table without a sort order, a column that it does not have or that cannot be sorted by
 */
export function rowOrder(request: CompactRequest, metadata: TableMetadata, isOnline: boolean): RowOrder {
  const { strategy, columns, zOrder } = request;
  if (strategy === 'sort' && columns !== undefined) {
    const fieldIds = columns.map((name) => sortableColumn(currentSchema(metadata), name));
    return zOrder === true
      ? { kind: 'z-order', fieldIds }
      : { kind: 'sort', terms: fieldIds.map(ascending), sortOrderId: null };
  }
  if (strategy === 'binpack' && !isOnline) return { kind: 'files' };
  const own = tableOrder(metadata);
  if (own !== null) return own;
  if (strategy === 'sort') {
    throw invalid('The table has no sort order whose columns it still has: name the columns to sort by.');
  }
  return { kind: 'files' };
}

function tableOrder(metadata: TableMetadata): RowOrder | null {
  const order = metadata.sortOrders.find(({ orderId }) => orderId === metadata.defaultSortOrderId);
  if (order === undefined || order.fields.length === 0) return null;
  const schema = currentSchema(metadata);
  const terms = order.fields.map(({ sourceId, transform, direction, nullOrder }) => ({
    fieldId: sourceId,
    transform: transformToString(transform),
    direction,
    nullOrder,
  }));
  const isKnown = ({ fieldId }: SortTerm): boolean => schema.fields.some(({ id }) => id === fieldId);
  const isUnknown = order.fields.some(({ transform }) => transform.kind === 'unknown');
  return !isUnknown && terms.every(isKnown) ? { kind: 'sort', terms, sortOrderId: order.orderId } : null;
}

function ascending(fieldId: number): SortTerm {
  return { fieldId, transform: 'identity', direction: 'asc', nullOrder: 'nulls-last' };
}

function sortableColumn(schema: Schema, name: string): number {
  const field = schema.fields.find((candidate) => candidate.name === name);
  if (field === undefined) {
    const names = schema.fields.map((candidate) => candidate.name);
    throw invalid(`The table has no column ${JSON.stringify(name)} to sort by. ${didYouMean(name, names)}`);
  }
  if (isPrimitive(field.type)) return field.id;
  throw invalid(`The column ${JSON.stringify(name)} cannot be sorted by: it holds ${field.type.kind}s.`);
}
