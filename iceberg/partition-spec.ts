/** Partition specs. Source: Apache Iceberg specification, "Partitioning". */
import type { PrimitiveValue } from './types.js';

/** A partition transform; an `unknown` one is kept as written, ignored for pruning, refused for writing. */
export type Transform =
  | { readonly kind: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'void' }
  | { readonly kind: 'bucket'; readonly numBuckets: number }
  | { readonly kind: 'truncate'; readonly width: number }
  | { readonly kind: 'unknown'; readonly text: string };

/** One field of a partition spec. */
export interface PartitionField {
  readonly sourceId: number;
  readonly fieldId: number;
  readonly name: string;
  readonly transform: Transform;
}

/** How the rows of a file were partitioned. */
export interface PartitionSpec {
  readonly specId: number;
  readonly fields: readonly PartitionField[];
}

/** A file's partition values, in the order of its spec's fields. */
export type PartitionTuple = readonly (PrimitiveValue | null)[];
