/** Writing manifests: staged ones before a commit, merged and rewritten ones during it. */
import { randomUUID } from 'node:crypto';
import { metadataFolder, pathSegment } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import {
  currentSchema,
  type DataFile,
  type ManifestEntry,
  type ManifestFile,
  manifestFileOf,
  manifestFileOfV1,
  type PartitionSpec,
  readManifest,
  type TableMetadata,
  writeManifest,
} from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { manifestContext, rememberManifest } from './manifest-files.js';
import type { Table } from './table.js';

/** A snapshot being made. */
export interface PendingSnapshot {
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
}

/** Stands for the snapshot of a staged manifest, which is not known before the commit. */
const UNASSIGNED: PendingSnapshot = { snapshotId: 0n, sequenceNumber: 0n };

/** A spec by id, of the metadata that the commit builds on. */
export function requireSpec(metadata: TableMetadata, specId: number): PartitionSpec {
  const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
  if (spec !== undefined) return spec;
  throw new MoraineError('INVALID_ARGUMENT', `The table has no partition spec ${specId}, which a data file names.`);
}

/** The manifest-list entry of a manifest with these entries. */
function describeManifest(
  file: { readonly location: string; readonly lengthBytes: number; readonly spec: PartitionSpec },
  metadata: TableMetadata,
  entries: readonly ManifestEntry[],
  pending: PendingSnapshot,
): ManifestFile {
  return manifestFileOf({
    manifestPath: file.location,
    manifestLength: BigInt(file.lengthBytes),
    content: 'data',
    spec: file.spec,
    schema: currentSchema(metadata),
    otherSchemas: metadata.schemas,
    entries,
    ...pending,
  });
}

/** Writes one manifest of data files under a new name that begins with `prefix`. */
export async function createManifest(
  io: FileIO,
  metadata: TableMetadata,
  specId: number,
  entries: readonly ManifestEntry[],
  prefix: string,
  pending: PendingSnapshot = UNASSIGNED,
): Promise<ManifestFile> {
  const spec = requireSpec(metadata, specId);
  const schema = currentSchema(metadata);
  const otherSchemas = metadata.schemas;
  const bytes = writeManifest({ formatVersion: 2, content: 'data', schema, otherSchemas, spec, entries });
  const location = `${metadataFolder(metadata)}/${prefix}-${randomUUID()}.avro`;
  await io.create(location, bytes);
  const manifest = describeManifest({ location, lengthBytes: bytes.length, spec }, metadata, entries, pending);
  await rememberManifest(io, metadata, manifest, assigned(entries, pending));
  return manifest;
}

/** Added entries with what they inherit from the snapshot that adds them. */
export function assigned(entries: readonly ManifestEntry[], pending: PendingSnapshot): readonly ManifestEntry[] {
  return entries.map((entry) =>
    entry.status === 'added'
      ? {
          ...entry,
          snapshotId: pending.snapshotId,
          sequenceNumber: entry.sequenceNumber ?? pending.sequenceNumber,
          fileSequenceNumber: pending.sequenceNumber,
        }
      : entry,
  );
}

/** An entry for a new file; its snapshot id and sequence numbers are inherited once it is committed. */
export function addedEntry(dataFile: DataFile): ManifestEntry {
  return { status: 'added', snapshotId: null, sequenceNumber: null, fileSequenceNumber: null, dataFile };
}

/**
 * Writes one manifest of new files that no snapshot lists yet. The files must be of one partition spec. Its name holds the
 * attempt's id and is never reused, so a late attempt cannot overwrite it.
 * @param attemptId tells the attempts of one piece of work apart
 * @returns the manifest, for `commitAppend` or `commitOverwrite`; its location alone is enough for {@link readStagedManifest}
 */
export async function stageManifest(
  table: Table,
  dataFiles: readonly DataFile[],
  attemptId: string,
): Promise<ManifestFile> {
  const specIds = new Set(dataFiles.map((file) => file.specId));
  if (specIds.size > 1) {
    const message = `The files of one manifest must have one partition spec, not ${[...specIds].join(', ')}.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const [specId = table.metadata.defaultSpecId] = specIds;
  return createManifest(table.io, table.metadata, specId, dataFiles.map(addedEntry), pathSegment(attemptId));
}

/** A manifest that {@link stageManifest} wrote, from its location. Throws `MANIFEST_CORRUPT`, `FILE_NOT_FOUND`. */
export async function readStagedManifest(table: Table, location: string): Promise<ManifestFile> {
  const bytes = await table.io.read(location);
  const file = manifestFileOfV1(location, bytes, UNASSIGNED.snapshotId);
  const entries = readManifest(bytes, manifestContext(table.metadata), file);
  const spec = requireSpec(table.metadata, file.partitionSpecId);
  const staged = entries.map((entry) => addedEntry(entry.dataFile));
  const described = { location, lengthBytes: bytes.length, spec };
  const manifest = describeManifest(described, table.metadata, staged, UNASSIGNED);
  await rememberManifest(table.io, table.metadata, manifest, entries);
  return manifest;
}

/** Stages files of any specs, one manifest for each. */
export async function stageFiles(table: Table, files: readonly DataFile[], attemptId: string): Promise<ManifestFile[]> {
  const bySpec = new Map<number, DataFile[]>();
  for (const specId of new Set(files.map((file) => file.specId))) {
    bySpec.set(
      specId,
      files.filter((file) => file.specId === specId),
    );
  }
  return Promise.all([...bySpec.values()].map((ofSpec) => stageManifest(table, ofSpec, attemptId)));
}
