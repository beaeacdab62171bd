/** What a manifest list says of a manifest: counts and partition summaries. Source: Apache Iceberg specification, "Manifest Lists". */

import { type PartitionSpec, partitionType } from '../partitions/partition-spec.js';
import type { IcebergType, PrimitiveValue, Schema } from '../schema/types.js';
import { serializeValue } from '../values/single-value.js';
import { compareValues } from '../values/value-order.js';
import type { FieldSummary, ManifestEntry, ManifestFile } from './data-file.js';

const UNORDERED_KINDS: ReadonlySet<string> = new Set(['unknown', 'unsupported', 'struct', 'list', 'map']);

/**
 * One summary for each partition field over the files of `entries`, for pruning whole manifests. NaN is counted apart from the
 * bounds; -0 and 0 widen the bounds to both (readers order them differently).
 */
export function summarizePartitions(
  entries: readonly ManifestEntry[],
  spec: PartitionSpec,
  schema: Schema,
  otherSchemas: readonly Schema[] = [],
): readonly FieldSummary[] {
  return partitionType(spec, schema, otherSchemas).map(({ type }, position) => {
    const summary = new FieldSummaryBuilder(type);
    for (const { dataFile } of entries) summary.add(dataFile.partition[position] ?? null);
    return summary.build();
  });
}

class FieldSummaryBuilder {
  private readonly type: IcebergType;
  private containsNull = false;
  private containsNan = false;
  private lower: PrimitiveValue | undefined;
  private upper: PrimitiveValue | undefined;

  constructor(type: IcebergType) {
    this.type = type;
  }

  add(value: PrimitiveValue | null): void {
    if (value === null) this.containsNull = true;
    else if (typeof value === 'number' && Number.isNaN(value)) this.containsNan = true;
    else if (!UNORDERED_KINDS.has(this.type.kind)) this.widen(value);
  }

  private widen(value: PrimitiveValue): void {
    if (this.lower === undefined || compareValues(this.type, value, this.lower) < 0) this.lower = value;
    if (this.upper === undefined || compareValues(this.type, value, this.upper) > 0) this.upper = value;
  }

  build(): FieldSummary {
    const { type, lower, upper, containsNull, containsNan } = this;
    const isFloat = type.kind === 'float' || type.kind === 'double';
    return {
      containsNull,
      containsNan,
      ...(lower === undefined ? {} : { lowerBound: serializeValue(type, isFloat && lower === 0 ? -0 : lower) }),
      ...(upper === undefined ? {} : { upperBound: serializeValue(type, isFloat && upper === 0 ? 0 : upper) }),
    };
  }
}

/** A manifest that was written, still without a place in a snapshot. */
export interface WrittenManifest {
  readonly manifestPath: string;
  readonly manifestLength: bigint;
  readonly content: ManifestFile['content'];
  readonly spec: PartitionSpec;
  readonly schema: Schema;
  readonly otherSchemas?: readonly Schema[];
  readonly entries: readonly ManifestEntry[];
  /** The snapshot that adds the manifest, and its sequence number: what entries inherit. */
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
}

/** The manifest-list entry of a manifest: counts by status, the lowest sequence number of live files, partition summaries. */
export function manifestFileOf(manifest: WrittenManifest): ManifestFile {
  const { entries, sequenceNumber } = manifest;
  const files = (status: ManifestEntry['status']): number => entries.filter((entry) => entry.status === status).length;
  const rows = (status: ManifestEntry['status']): bigint =>
    entries.reduce((sum, entry) => (entry.status === status ? sum + entry.dataFile.recordCount : sum), 0n);
  const live = entries.filter(({ status }) => status !== 'deleted');
  return {
    manifestPath: manifest.manifestPath,
    manifestLength: manifest.manifestLength,
    partitionSpecId: manifest.spec.specId,
    content: manifest.content,
    sequenceNumber,
    minSequenceNumber: live.reduce((least, entry) => {
      const own = entry.sequenceNumber ?? sequenceNumber;
      return own < least ? own : least;
    }, sequenceNumber),
    addedSnapshotId: manifest.snapshotId,
    addedFilesCount: files('added'),
    existingFilesCount: files('existing'),
    deletedFilesCount: files('deleted'),
    addedRowsCount: rows('added'),
    existingRowsCount: rows('existing'),
    deletedRowsCount: rows('deleted'),
    partitions: summarizePartitions(entries, manifest.spec, manifest.schema, manifest.otherSchemas),
  };
}
