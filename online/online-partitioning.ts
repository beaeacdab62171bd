/** How the files of an online table are partitioned: the spec of each strategy, and what a spec tells of its files. Pure. */
import type { PartitionStrategy } from '../features/index.js';
import {
  defaultSpec,
  type PartitionField,
  type PartitionSpec,
  type PartitionTuple,
  type TableMetadata,
} from '../iceberg/index.js';
import type { EventTimes } from './event-times.js';

/** The columns that decide where a row lies, by their field ids. */
export interface PlacingColumns {
  /** The column that is looked up. */
  readonly keyId: number;
  readonly eventTimeId: number;
}

/** A partitioning of an online table. Rows that tie in key and event time lie in one partition of it. */
export interface OnlinePartitioning {
  readonly strategy: PartitionStrategy;
  /** Buckets of the key. A table that is not partitioned by them is rebuilt by as many parts of its keys. */
  readonly buckets: number;
}

/** Tables without buckets are rebuilt by as many parts of their keys. */
export const BUCKETS_OF_WORK = 64;

const HOUR_US = 3_600_000_000n;

/**
 * The fields of a strategy, without ids of their own.
 * @param names of the columns
 */
export function partitionFields(
  { strategy, buckets }: OnlinePartitioning,
  { keyId, eventTimeId }: PlacingColumns,
  names: { readonly key: string; readonly eventTime: string },
): readonly Omit<PartitionField, 'fieldId'>[] {
  const bucket = {
    sourceId: keyId,
    name: `${names.key}_bucket`,
    transform: { kind: 'bucket', numBuckets: buckets },
  } as const;
  const hour = { sourceId: eventTimeId, name: `${names.eventTime}_hour`, transform: { kind: 'hour' } } as const;
  if (strategy === 'entity_hash') return [bucket];
  return strategy === 'timestamp' ? [hour] : [bucket, hour];
}

/** The partitioning of new files as the table's default spec has it; undefined: it is of none of the strategies. */
export function partitioningOf(metadata: TableMetadata): OnlinePartitioning | undefined {
  const { fields } = defaultSpec(metadata);
  const bucket = fields.find(({ transform }) => transform.kind === 'bucket')?.transform;
  const hasHour = fields.some(({ transform }) => transform.kind === 'hour');
  const count = Number(bucket !== undefined) + Number(hasHour);
  if (count === 0 || count !== fields.length) return undefined;
  if (bucket?.kind !== 'bucket') return { strategy: 'timestamp', buckets: BUCKETS_OF_WORK };
  return { strategy: hasHour ? 'hybrid' : 'entity_hash', buckets: bucket.numBuckets };
}

/** Where the parts of a partition are in its tuple. */
export interface PartitionPlaces {
  /** Undefined: rows of any key are in each partition. */
  readonly bucket: { readonly place: number; readonly numBuckets: number } | undefined;
  /** Undefined: rows of any time are in each partition. */
  readonly hour: number | undefined;
}

/** What the partitions of a spec tell; undefined if it partitions by anything but key and hour. */
export function partitionPlaces({ fields }: PartitionSpec, columns: PlacingColumns): PartitionPlaces | undefined {
  let [bucket, hour]: [PartitionPlaces['bucket'], PartitionPlaces['hour']] = [undefined, undefined];
  for (const [place, { transform, sourceId }] of fields.entries()) {
    if (transform.kind === 'bucket' && sourceId === columns.keyId && bucket === undefined)
      bucket = { place, numBuckets: transform.numBuckets };
    else if (transform.kind === 'hour' && sourceId === columns.eventTimeId && hour === undefined) hour = place;
    else return undefined;
  }
  return { bucket, hour };
}

/** The bucket of a partition; undefined: it has rows of any. */
export function bucketOf(places: PartitionPlaces | undefined, partition: PartitionTuple): number | undefined {
  const value = places?.bucket === undefined ? undefined : partition[places.bucket.place];
  return typeof value === 'number' ? value : undefined;
}

/** The event times of a partition; undefined: it has rows of any. */
export function hourOf(places: PartitionPlaces | undefined, partition: PartitionTuple): EventTimes | undefined {
  const hour = places?.hour === undefined ? undefined : partition[places.hour];
  if (typeof hour !== 'number') return undefined;
  const earliestUs = BigInt(hour) * HOUR_US;
  return { earliestUs, latestUs: earliestUs + HOUR_US - 1n };
}

/** The default spec, if it is of one of the strategies for these columns. */
export function onlineSpecOf(metadata: TableMetadata, columns: PlacingColumns): PartitionSpec | undefined {
  const spec = defaultSpec(metadata);
  return spec.fields.length === 0 || partitionPlaces(spec, columns) === undefined ? undefined : spec;
}
