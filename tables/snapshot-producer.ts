/** Building a snapshot on a base: its manifests, manifest list, summary and the updates that commit it. */
import { randomBytes, randomUUID } from 'node:crypto';
import { metadataFolder, SYSTEM_CLOCK } from '../catalogs/index.js';
import {
  currentSchema,
  currentSnapshot,
  type DataFile,
  findSnapshot,
  MAIN_BRANCH,
  type ManifestFile,
  type Snapshot,
  type TableMetadata,
  type TableUpdate,
  writeManifestList,
} from '../iceberg/index.js';
import type { CommitOptions, PreparedCommit } from './commit.js';
import {
  createManifestList,
  mapConcurrently,
  mayHaveLiveFiles,
  readManifestEntries,
  readSnapshotManifests,
  rememberManifest,
} from './manifest-files.js';
import { mergeManifests } from './manifest-merge.js';
import { assigned, type PendingSnapshot } from './manifest-writer.js';
import { type FileRemoval, removeFiles } from './remove-files.js';
import { RECENT_RUNS, RUN_KEY, recentRunsWith } from './run-marker.js';
import { type FileChanges, snapshotSummary } from './snapshot-summary.js';
import type { Table } from './table.js';

/** What a snapshot changes. */
export interface SnapshotContent {
  /** Staged manifests of new files. */
  readonly added: readonly ManifestFile[];
  readonly removal?: FileRemoval;
}

interface Manifests {
  readonly listed: readonly ManifestFile[];
  readonly created: readonly ManifestFile[];
  readonly changes: FileChanges;
}

/** A random positive 63-bit id that no snapshot of the table has. */
function newSnapshotId(metadata: TableMetadata): bigint {
  for (;;) {
    const id = randomBytes(8).readBigUInt64BE() >> 1n;
    if (id !== 0n && findSnapshot(metadata, id) === undefined) return id;
  }
}

/** Staged manifests as the pending snapshot lists them; remembered, so that nobody needs to read them again. */
async function listStaged(base: Table, staged: readonly ManifestFile[], pending: PendingSnapshot) {
  return mapConcurrently(staged, async (manifest) => {
    const entries = await readManifestEntries(base.io, base.metadata, manifest);
    const listed: ManifestFile = {
      ...manifest,
      addedSnapshotId: pending.snapshotId,
      sequenceNumber: pending.sequenceNumber,
      minSequenceNumber: pending.sequenceNumber,
    };
    const unassigned = entries.map((entry) => ({ ...entry, sequenceNumber: null }));
    await rememberManifest(base.io, base.metadata, listed, assigned(unassigned, pending));
    return { listed, files: entries.map((entry) => entry.dataFile) };
  });
}

/** v1 lists may lack counts, which v2 lists need. */
async function withCounts(base: Table, manifest: ManifestFile): Promise<ManifestFile> {
  if (
    manifest.addedRowsCount !== undefined &&
    manifest.existingRowsCount !== undefined &&
    manifest.deletedRowsCount !== undefined &&
    manifest.addedFilesCount !== undefined
  )
    return manifest;
  const entries = await readManifestEntries(base.io, base.metadata, manifest);
  const count = (status: string) => entries.filter((entry) => entry.status === status);
  const rows = (status: string) => count(status).reduce((sum, entry) => sum + entry.dataFile.recordCount, 0n);
  return {
    ...manifest,
    addedFilesCount: count('added').length,
    existingFilesCount: count('existing').length,
    deletedFilesCount: count('deleted').length,
    addedRowsCount: rows('added'),
    existingRowsCount: rows('existing'),
    deletedRowsCount: rows('deleted'),
  };
}

async function buildManifests(base: Table, content: SnapshotContent, pending: PendingSnapshot): Promise<Manifests> {
  const { io, metadata } = base;
  const parent = await readSnapshotManifests(io, currentSnapshot(metadata));
  const live = await mapConcurrently(parent.filter(mayHaveLiveFiles), (manifest) => withCounts(base, manifest));
  const staged = await listStaged(base, content.added, pending);
  const kept =
    content.removal === undefined
      ? { manifests: live, created: [], removed: [] as readonly DataFile[] }
      : await removeFiles(base, live, content.removal, pending);
  const all = [...staged.map(({ listed }) => listed), ...kept.manifests];
  const merged = await mergeManifests(io, metadata, all, pending);
  const added = staged.flatMap(({ files }) => files);
  return {
    listed: merged.manifests,
    created: [...kept.created, ...merged.created],
    changes: { added, removed: kept.removed },
  };
}

function operationOf(content: SnapshotContent, changes: FileChanges): string {
  if (content.removal === undefined) return 'append';
  return changes.added.length === 0 && changes.removed.length > 0 ? 'delete' : 'overwrite';
}

function updatesFor(metadata: TableMetadata, snapshot: Snapshot, options: CommitOptions): readonly TableUpdate[] {
  const { snapshotId } = snapshot;
  const properties = new Map(options.properties?.(metadata, snapshotId));
  if (options.run !== undefined) properties.set(RECENT_RUNS, recentRunsWith(metadata, options.run, snapshotId));
  const main = metadata.refs.get(MAIN_BRANCH);
  return [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', refName: MAIN_BRANCH, ref: { type: 'branch', ...main, snapshotId } },
    ...(properties.size === 0 ? [] : [{ action: 'set-properties' as const, updates: properties }]),
  ];
}

/** Prepares one attempt to commit a snapshot on a base. Writes its manifest list and the manifests it needs. */
export async function prepareSnapshot(
  base: Table,
  content: SnapshotContent,
  options: CommitOptions,
): Promise<PreparedCommit> {
  const { io, metadata } = base;
  const parent = currentSnapshot(metadata);
  const pending = { snapshotId: newSnapshotId(metadata), sequenceNumber: metadata.lastSequenceNumber + 1n };
  const { listed, created, changes } = await buildManifests(base, content, pending);
  const manifestList = `${metadataFolder(metadata)}/snap-${pending.snapshotId}-${randomUUID()}.avro`;
  const parentSnapshotId = parent?.snapshotId ?? null;
  await createManifestList(
    io,
    manifestList,
    writeManifestList({ formatVersion: 2, ...pending, parentSnapshotId, manifests: listed }),
    listed,
  );
  const schema = currentSchema(metadata);
  const summary = snapshotSummary(operationOf(content, changes), changes, parent, metadata.partitionSpecs, schema);
  const nowMs = BigInt((base.catalog?.clock ?? SYSTEM_CLOCK).nowMs());
  const snapshot: Snapshot = {
    ...pending,
    ...(parent === null ? {} : { parentSnapshotId: parent.snapshotId }),
    // Snapshots keep their order though clocks differ.
    timestampMs: nowMs > metadata.lastUpdatedMs ? nowMs : metadata.lastUpdatedMs,
    manifestList,
    summary: new Map([
      ...(options.summary ?? []),
      ...(options.run === undefined ? [] : [[RUN_KEY, options.run.key] as const]),
      ...summary,
    ]),
    schemaId: schema.schemaId,
  };
  return {
    snapshotId: pending.snapshotId,
    request: {
      requirements: [
        { type: 'assert-table-uuid', uuid: metadata.tableUuid },
        { type: 'assert-ref-snapshot-id', ref: MAIN_BRANCH, snapshotId: parentSnapshotId },
      ],
      updates: updatesFor(metadata, snapshot, options),
    },
    ownFiles: [manifestList, ...created.map((manifest) => manifest.manifestPath)],
  };
}
