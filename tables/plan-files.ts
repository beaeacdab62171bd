/** Scan planning: which data files of a snapshot may hold matching rows. */
import { MoraineError } from '../errors/index.js';
import {
  type BoundExpression,
  type DataFile,
  type ManifestFile,
  manifestMightMatch,
  mightMatch,
  type PartitionSpec,
  partitionMightMatch,
  projectInclusive,
  type Schema,
  type Snapshot,
} from '../iceberg/index.js';
import { mapConcurrently, mayHaveLiveFiles, readManifestEntries, readSnapshotManifests } from './manifest-files.js';
import type { Table } from './table.js';

/** A live data file of a snapshot. */
export interface PlannedFile {
  readonly file: DataFile;
  readonly spec: PartitionSpec;
  /** The data sequence number. */
  readonly sequenceNumber: bigint;
}

export interface ScanStats {
  readonly manifestsTotal: number;
  readonly manifestsRead: number;
  /** Live files of the whole snapshot, as far as its manifest list counts them. */
  readonly filesTotal: number;
  readonly filesSkipped: number;
  /** Of the planned files. */
  readonly bytes: bigint;
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
}

/** Decides by partition values and statistics; a file without them is kept. */
interface FilePruner {
  manifest(manifest: ManifestFile): boolean;
  file(file: DataFile): boolean;
}

/** A partition spec of the table, or `METADATA_CORRUPT`. */
export function specById(table: Table, specId: number): PartitionSpec {
  const spec = table.metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
  if (spec !== undefined) return spec;
  throw new MoraineError('METADATA_CORRUPT', `${table.metadataLocation} has no partition spec ${specId}.`);
}

function prunerFor(spec: PartitionSpec, filter: BoundExpression): FilePruner {
  const projected = projectInclusive(filter, spec);
  return {
    manifest: (manifest) => manifestMightMatch(projected, manifest, spec),
    file: (file) => partitionMightMatch(projected, file.partition, spec) && mightMatch(filter, file),
  };
}

function refuseDeleteFiles(table: Table, manifests: readonly ManifestFile[]): void {
  const deletes = manifests.find((manifest) => manifest.content === 'deletes' && mayHaveLiveFiles(manifest));
  if (deletes === undefined) return;
  const message = `Table ${table.metadataLocation} has delete files (manifest ${deletes.manifestPath}), which are not read yet.`;
  throw new MoraineError('DELETE_FILES_UNSUPPORTED', message, { details: { location: deletes.manifestPath } });
}

async function liveFiles(table: Table, manifest: ManifestFile, pruner: FilePruner | undefined) {
  const spec = specById(table, manifest.partitionSpecId);
  const live = (await readManifestEntries(table.io, table.metadata, manifest)).filter(
    ({ status }) => status !== 'deleted',
  );
  const kept = pruner === undefined ? live : live.filter((entry) => pruner.file(entry.dataFile));
  return kept.map((entry): PlannedFile => ({ file: entry.dataFile, spec, sequenceNumber: entry.sequenceNumber ?? 0n }));
}

/**
 * Plans a scan: reads the manifests that may hold matching files and keeps the files that may hold matching rows.
 * A file is dropped only if its partition or bounds prove that no row matches.
 * @throws MoraineError `DELETE_FILES_UNSUPPORTED`, and what reading a manifest may throw
 */
export async function planFiles(table: Table, request: ScanRequest): Promise<ScanPlan> {
  const { snapshot, schema, filter } = request;
  const all = await readSnapshotManifests(table.io, snapshot);
  refuseDeleteFiles(table, all);
  const live = all.filter((manifest) => manifest.content === 'data' && mayHaveLiveFiles(manifest));
  const pruners = new Map<number, FilePruner>();
  if (filter !== undefined) {
    for (const specId of new Set(live.map((manifest) => manifest.partitionSpecId))) {
      pruners.set(specId, prunerFor(specById(table, specId), filter));
    }
  }
  const chosen = live.filter((manifest) => pruners.get(manifest.partitionSpecId)?.manifest(manifest) ?? true);
  const read = await mapConcurrently(chosen, (manifest) =>
    liveFiles(table, manifest, pruners.get(manifest.partitionSpecId)),
  );
  const files = read.flat();
  const filesTotal = live.reduce((sum, file) => sum + (file.addedFilesCount ?? 0) + (file.existingFilesCount ?? 0), 0);
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
    },
  };
}
