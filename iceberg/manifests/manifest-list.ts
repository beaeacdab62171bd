/** Manifest lists: the manifests of one snapshot. Source: Apache Iceberg specification, "Manifest Lists". */
import { MoraineError } from '../../errors/index.js';
import { type AvroCodec, inFile, readAvroFile, writeAvroFile } from '../avro/container.js';
import { type AvroDatum, type AvroRecord } from '../avro/datum.js';
import {
  expectBytes,
  expectInt,
  expectList,
  expectLong,
  expectText,
  optionally,
  RecordFields,
} from '../avro/record-fields.js';
import { type PartitionSpec } from '../partitions/partition-spec.js';
import { type IcebergType, type PrimitiveValue, type Schema } from '../schema/types.js';
import { serializeValue } from '../values/single-value.js';
import { compareValues } from '../values/value-order.js';
import { type FieldSummary, type ManifestEntry, type ManifestFile } from './data-file.js';
import { positional } from './manifest-entry.js';
import { manifestListAvroSchema } from './manifest-schema.js';
import { type PartitionedEntries, partitionTypeOf } from './partition-types.js';

/** The input of a manifest list. */
export interface ManifestListToWrite {
  readonly formatVersion: 2 | 3;
  readonly snapshotId: bigint;
  readonly parentSnapshotId: bigint | null;
  readonly sequenceNumber: bigint;
  /** With assigned sequence numbers. */
  readonly manifests: readonly ManifestFile[];
  readonly codec?: AvroCodec;
}

/** The bytes of a v2 or v3 manifest list. @throws MoraineError `INVALID_ARGUMENT` for a manifest without counts */
export function writeManifestList(list: ManifestListToWrite): Uint8Array {
  const metadata = new Map([
    ['snapshot-id', String(list.snapshotId)],
    ['parent-snapshot-id', list.parentSnapshotId === null ? 'null' : String(list.parentSnapshotId)],
    ['sequence-number', String(list.sequenceNumber)],
    ['format-version', String(list.formatVersion)],
  ]);
  const { formatVersion } = list;
  const records = list.manifests.map((manifest) => manifestToRecord(manifest, formatVersion));
  return writeAvroFile(manifestListAvroSchema(formatVersion), metadata, records, list.codec);
}

function manifestToRecord(manifest: ManifestFile, formatVersion: 2 | 3): AvroRecord {
  const counted = <T>(count: T | undefined): T => {
    if (count !== undefined) return count;
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `Manifest ${manifest.manifestPath} lacks counts, which a manifest list needs since v2.`,
    );
  };
  return positional([
    manifest.manifestPath,
    manifest.manifestLength,
    manifest.partitionSpecId,
    manifest.content === 'data' ? 0 : 1,
    manifest.sequenceNumber,
    manifest.minSequenceNumber,
    manifest.addedSnapshotId,
    counted(manifest.addedFilesCount),
    counted(manifest.existingFilesCount),
    counted(manifest.deletedFilesCount),
    counted(manifest.addedRowsCount),
    counted(manifest.existingRowsCount),
    counted(manifest.deletedRowsCount),
    manifest.partitions?.map(summaryToRecord) ?? null,
    manifest.keyMetadata ?? null,
    ...(formatVersion === 3 ? [manifest.firstRowId ?? null] : []),
  ]);
}

function summaryToRecord(summary: FieldSummary): AvroRecord {
  return positional([
    summary.containsNull,
    summary.containsNan ?? null,
    summary.lowerBound ?? null,
    summary.upperBound ?? null,
  ]);
}

/** Files written without field ids (by early v1 writers) name their fields as the specification does. */
const IDS_BY_NAME: ReadonlyMap<string, number> = new Map([
  ['manifest_path', 500],
  ['manifest_length', 501],
  ['partition_spec_id', 502],
  ['added_snapshot_id', 503],
  ['added_data_files_count', 504],
  ['added_files_count', 504],
  ['existing_data_files_count', 505],
  ['existing_files_count', 505],
  ['deleted_data_files_count', 506],
  ['deleted_files_count', 506],
  ['partitions', 507],
]);

/**
 * The manifests of a v1, v2 or v3 manifest list; counts and sequence numbers that v1 lacks are absent and 0.
 * @param location names the file in errors
 * @throws MoraineError `MANIFEST_CORRUPT`, `LIMIT_EXCEEDED`
 */
export function readManifestList(bytes: Uint8Array, location = 'manifest list'): readonly ManifestFile[] {
  const file = readAvroFile(bytes, location);
  return inFile(location, () => {
    const fields = new RecordFields(file.schema, IDS_BY_NAME);
    const readSummaries = summariesReader(fields);
    return file.records.map((record) => manifestFromRecord((id) => fields.getter(id)(record), readSummaries));
  });
}

function manifestFromRecord(
  get: (id: number) => AvroDatum,
  readSummaries: (datum: AvroDatum) => readonly FieldSummary[],
): ManifestFile {
  const content = optionally(get(517), 'content', expectInt) ?? 0;
  if (content !== 0 && content !== 1)
    throw new MoraineError('MANIFEST_CORRUPT', `a manifest has the unknown content ${content}`);
  const int = (id: number, name: string): number | undefined => optionally(get(id), name, expectInt);
  const long = (id: number, name: string): bigint | undefined => optionally(get(id), name, expectLong);
  const optional = {
    addedFilesCount: int(504, 'added_files_count'),
    existingFilesCount: int(505, 'existing_files_count'),
    deletedFilesCount: int(506, 'deleted_files_count'),
    addedRowsCount: long(512, 'added_rows_count'),
    existingRowsCount: long(513, 'existing_rows_count'),
    deletedRowsCount: long(514, 'deleted_rows_count'),
    partitions: optionally(get(507), 'partitions', readSummaries),
    keyMetadata: optionally(get(519), 'key_metadata', expectBytes),
    firstRowId: long(520, 'first_row_id'),
  };
  return {
    manifestPath: expectText(get(500), 'manifest_path'),
    manifestLength: expectLong(get(501), 'manifest_length'),
    partitionSpecId: expectInt(get(502), 'partition_spec_id'),
    content: content === 0 ? 'data' : 'deletes',
    sequenceNumber: long(515, 'sequence_number') ?? 0n,
    minSequenceNumber: long(516, 'min_sequence_number') ?? 0n,
    addedSnapshotId: long(503, 'added_snapshot_id') ?? 0n,
    ...(Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== undefined),
    ) as Partial<ManifestFile>),
  };
}

function summariesReader(fields: RecordFields): (datum: AvroDatum) => readonly FieldSummary[] {
  const node = fields.slot(507)?.node;
  const array = node?.kind === 'union' ? node.branches.find(({ kind }) => kind === 'array') : node;
  if (array?.kind !== 'array') return () => [];
  const names = new Map([
    ['contains_null', 509],
    ['lower_bound', 510],
    ['upper_bound', 511],
    ['contains_nan', 518],
  ]);
  const summary = new RecordFields(array.items, names);
  const [containsNull, containsNan, lower, upper] = [509, 518, 510, 511].map((id) => summary.getter(id));
  return (datum) =>
    expectList(datum, 'partitions').map((item) => {
      const record = item as AvroRecord;
      const nan = containsNan?.(record);
      const lowerBound = optionally(lower?.(record), 'lower_bound', expectBytes);
      const upperBound = optionally(upper?.(record), 'upper_bound', expectBytes);
      return {
        containsNull: containsNull?.(record) !== false,
        ...(typeof nan === 'boolean' ? { containsNan: nan } : {}),
        ...(lowerBound === undefined ? {} : { lowerBound }),
        ...(upperBound === undefined ? {} : { upperBound }),
      };
    });
}

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
  return partitionTypeOf({ entries, spec, schema, otherSchemas }).map(({ type }, position) => {
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
export interface WrittenManifest extends PartitionedEntries {
  readonly manifestPath: string;
  readonly manifestLength: bigint;
  readonly content: ManifestFile['content'];
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
