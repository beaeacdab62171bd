/** Sort orders. Source: Apache Iceberg specification, "Sorting". */
import type { Transform } from '../partitions/transforms.js';

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
