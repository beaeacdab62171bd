/** Scan planning: which data files of a snapshot may hold matching rows. */
import { MoraineError } from '../errors/index.js';
import {
  type BoundExpression,
  currentSchema,
  type DataFile,
  identityValuesOf,
  type ManifestEntry,
  type ManifestFile,
  manifestMightMatch,
  mightMatch,
  type PartitionSpec,
  partitionMightMatch,
  projectInclusive,
  type Schema,
  type Snapshot,
} from '../iceberg/index.js';
import { mapConcurrently } from '../storage/index.js';
import { mayHaveLiveFiles, readManifestEntries, readSnapshotManifests } from './manifest-files.js';
import { type DeleteStats, planDeletes } from './plan-deletes.js';
import type { FilePruner, PlannedFile } from './planned-file.js';
import type { Table } from './table.js';

export interface ScanStats {
  readonly manifestsTotal: number;
  readonly manifestsRead: number;
  /** Live files of the whole snapshot, as far as its manifest list counts them. */
  readonly filesTotal: number;
  readonly filesSkipped: number;
  /** Bytes of the planned files. */
  readonly bytes: bigint;
  /** Deletes that the files are read with; absent if the snapshot has no delete files. */
  readonly deletes?: DeleteStats;
}

export interface ScanPlan {
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
  readonly files: readonly PlannedFile[];
  readonly stats: ScanStats;
}

export interface ScanRequest {
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
  readonly filter?: BoundExpression;
  /**
   * Whether the caller reads files with their {@link PlannedFile.deletes}. One that does not, and would show deleted rows, gets
   * `DELETE_FILES_UNSUPPORTED`.
   */
  readonly appliesDeletes?: boolean;
}

/** A partition spec of the table, or `METADATA_CORRUPT`. */
export function specById(table: Table, specId: number): PartitionSpec {
  const spec = table.metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
  if (spec !== undefined) return spec;
  throw new MoraineError('METADATA_CORRUPT', `${table.metadataLocation} has no partition spec ${specId}.`);
}

function prunerFor(spec: PartitionSpec, filter: BoundExpression): FilePruner {
  const projected = projectInclusive(filter, spec);
  const partition = (file: DataFile) => partitionMightMatch(projected, file.partition, spec);
  return {
    manifest: (manifest) => manifestMightMatch(projected, manifest, spec),
    partition,
    file: (file) => partition(file) && mightMatch(filter, file),
  };
}

function refuseDeletes(table: Table, deletes: ManifestFile): never {
  const message = `Table ${table.metadataLocation} has delete files (manifest ${deletes.manifestPath}), which this operation does not apply.`;
  throw new MoraineError('DELETE_FILES_UNSUPPORTED', message, { details: { location: deletes.manifestPath } });
}

async function liveFiles(table: Table, manifest: ManifestFile, pruner: FilePruner | undefined) {
  const spec = specById(table, manifest.partitionSpecId);
  const live = (await readManifestEntries(table.io, table.metadata, manifest)).filter(
    ({ status }) => status !== 'deleted',
  );
  const kept = pruner === undefined ? live : live.filter((entry) => pruner.file(entry.dataFile));
  return kept.map(filePlanner(table, spec));
}

/** Turns manifest entries of a spec into files to read, without their deletes. */
export function filePlanner({ metadata }: Table, spec: PartitionSpec): (entry: ManifestEntry) => PlannedFile {
  const valuesOf = identityValuesOf(spec, [currentSchema(metadata), ...metadata.schemas]);
  return ({ dataFile: file, sequenceNumber, fileSequenceNumber }) => {
    const isOther = fileSequenceNumber !== null && fileSequenceNumber !== sequenceNumber;
    const planned = { file, spec, sequenceNumber: sequenceNumber ?? 0n, ...(isOther ? { fileSequenceNumber } : {}) };
    return valuesOf === undefined ? planned : { ...planned, identityValues: valuesOf(file.partition) };
  };
}

/** A pruner for each partition spec that the manifests are of. */
function prunersFor(table: Table, manifests: readonly ManifestFile[], filter: BoundExpression | undefined) {
  const pruners = new Map<number, FilePruner>();
  if (filter === undefined) return pruners;
  for (const specId of new Set(manifests.map((manifest) => manifest.partitionSpecId))) {
    pruners.set(specId, prunerFor(specById(table, specId), filter));
  }
  return pruners;
}

/**
 * Plans a scan: reads the manifests that may hold matching files, keeps the files that may hold matching rows, and finds the
 * deletes of each. A file is dropped only if its partition or bounds prove that no row matches.
 * @throws MoraineError `DELETE_FILES_UNSUPPORTED` for a caller that does not apply deletes, and what reading a manifest may throw
 */
export async function planFiles(table: Table, request: ScanRequest): Promise<ScanPlan> {
  const { snapshot, schema, filter } = request;
  const all = await readSnapshotManifests(table.io, snapshot);
  const live = all.filter(mayHaveLiveFiles);
  const data = live.filter((manifest) => manifest.content === 'data');
  const deletes = live.filter((manifest) => manifest.content === 'deletes');
  if (deletes[0] !== undefined && request.appliesDeletes !== true) refuseDeletes(table, deletes[0]);
  const pruners = prunersFor(table, live, filter);
  const chosen = data.filter((manifest) => pruners.get(manifest.partitionSpecId)?.manifest(manifest) ?? true);
  const read = await mapConcurrently(chosen, (manifest) =>
    liveFiles(table, manifest, pruners.get(manifest.partitionSpecId)),
  );
  const found = read.flat();
  const planned =
    deletes.length === 0 ? undefined : await planDeletes(table, found, deletes, { schema, filter, pruners });
  const files = planned?.files ?? found;
  const filesTotal = data.reduce((sum, file) => sum + (file.addedFilesCount ?? 0) + (file.existingFilesCount ?? 0), 0);
  return {
    snapshot,
    schema,
    files,
    stats: {
      manifestsTotal: all.length,
      manifestsRead: chosen.length,
      filesTotal,
      filesSkipped: Math.max(0, filesTotal - files.length),
      bytes: files.reduce((sum, { file }) => sum + file.fileSizeInBytes, 0n),
      ...(planned === undefined ? {} : { deletes: planned.stats }),
    },
  };
}
