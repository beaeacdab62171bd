/** Overwrites: taking live files out of a table by rewriting the manifests that list them. */
import { MoraineError } from '../errors/index.js';
import {
  currentSnapshot,
  type DataFile,
  type ManifestEntry,
  type ManifestFile,
  type PartitionTuple,
  partitionKey,
} from '../iceberg/index.js';
import { mapConcurrently } from '../storage/index.js';
import { mayHaveLiveFiles, readManifestEntries, readSnapshotManifests } from './manifest-files.js';
import { carryEntry } from './manifest-merge.js';
import { createManifest, type PendingSnapshot } from './manifest-writer.js';
import type { PlannedFile } from './planned-file.js';
import { snapshotChanges } from './snapshot-changes.js';
import type { Table } from './table.js';

/** Which files an overwrite removes: all of some partitions of one spec, or the files at these locations. */
export type FileRemoval =
  | { readonly partitions: { readonly specId: number; readonly tuples: readonly PartitionTuple[] } }
  | { readonly files: readonly string[] };

/** Whether the removal takes a data file. */
export type RemovalTest = (file: DataFile) => boolean;

/** The test for a removal. */
export function removalTest(removal: FileRemoval): RemovalTest {
  if ('files' in removal) {
    const paths = new Set(removal.files);
    return (file) => paths.has(file.filePath);
  }
  const { specId, tuples } = removal.partitions;
  const keys = new Set(tuples.map((tuple) => partitionKey(specId, tuple)));
  return (file) => keys.has(partitionKey(file.specId, file.partition));
}

/** Whether a file lies in a partition that a removal takes files from. */
export async function partitionsOf(base: Table, removal: FileRemoval): Promise<RemovalTest> {
  if (!('files' in removal)) return removalTest(removal);
  const removes = removalTest(removal);
  const manifests = await readSnapshotManifests(base.io, currentSnapshot(base.metadata));
  const read = await mapConcurrently(manifests.filter(mayHaveLiveFiles), (manifest) =>
    readManifestEntries(base.io, base.metadata, manifest),
  );
  const files = read.flat().map((entry) => entry.dataFile);
  const keys = new Set(files.filter(removes).map((file) => partitionKey(file.specId, file.partition)));
  return (file) => keys.has(partitionKey(file.specId, file.partition));
}

/** Result of a removal on the manifests of the parent snapshot. */
export interface RemovalResult {
  /** The manifests to list, in their order. */
  readonly manifests: readonly ManifestFile[];
  /** Those that had to be written anew. */
  readonly created: readonly ManifestFile[];
  readonly removed: readonly DataFile[];
}

/**
 * Rewrites the manifests that list removed files: those become deleted entries of the pending snapshot, the others
 * existing ones with their own snapshot ids and sequence numbers.
 */
export async function removeEntries(
  base: Table,
  manifests: readonly ManifestFile[],
  removes: (entry: ManifestEntry) => boolean,
  pending: PendingSnapshot,
): Promise<RemovalResult> {
  const results = await mapConcurrently(manifests, (manifest) => rewriteManifest(base, manifest, removes, pending));
  const created = results.filter((result) => result.removed.length > 0).map((result) => result.manifest);
  return {
    manifests: results.map((result) => result.manifest),
    created,
    removed: results.flatMap((result) => result.removed),
  };
}

async function rewriteManifest(
  base: Table,
  manifest: ManifestFile,
  removes: (entry: ManifestEntry) => boolean,
  pending: PendingSnapshot,
) {
  const entries = await readManifestEntries(base.io, base.metadata, manifest);
  const isRemoved = (entry: ManifestEntry) => entry.status !== 'deleted' && removes(entry);
  const removed = entries.filter(isRemoved).map((entry) => entry.dataFile);
  if (removed.length === 0) return { manifest, removed };
  const rewritten = entries
    .map((entry): ManifestEntry | null =>
      isRemoved(entry) ? { ...entry, status: 'deleted', snapshotId: pending.snapshotId } : carryEntry(entry, pending),
    )
    .filter((entry) => entry !== null);
  const content = { content: manifest.content, specId: manifest.partitionSpecId, entries: rewritten };
  return { manifest: await createManifest(base, content, `overwrite-${pending.snapshotId}`, pending), removed };
}

/**
 * Takes data files out of the data manifests that list them.
 * @throws MoraineError `COMMIT_CONFLICT` if a file to remove is no longer in the table
 */
export async function removeFiles(
  base: Table,
  manifests: readonly ManifestFile[],
  removal: FileRemoval,
  pending: PendingSnapshot,
): Promise<RemovalResult> {
  const removes = removalTest(removal);
  const isCandidate = ({ partitionSpecId }: ManifestFile) =>
    'files' in removal || partitionSpecId === removal.partitions.specId;
  const candidates = manifests.filter(isCandidate);
  const result = await removeEntries(base, candidates, ({ dataFile }) => removes(dataFile), pending);
  if ('files' in removal) requireFound(removal.files, result.removed);
  const replaced = new Map(candidates.map((manifest, index) => [manifest, result.manifests[index] ?? manifest]));
  return { ...result, manifests: manifests.map((manifest) => replaced.get(manifest) ?? manifest) };
}

function requireFound(paths: readonly string[], removed: readonly DataFile[]): void {
  const found = new Set(removed.map((file) => file.filePath));
  const missing = paths.filter((path) => !found.has(path));
  if (missing.length === 0) return;
  const message = `${missing.length} of the files to replace are no longer in the table (${missing[0] ?? ''}): plan again.`;
  throw new MoraineError('COMMIT_CONFLICT', message, { details: { missing: missing.slice(0, 10) } });
}

/**
 * Checks that since a snapshot nothing was added to, or taken from, what is being replaced.
 * @param since the snapshot that the overwrite was planned on; null: the table had none
 * @param mayBeAppended files that appends may have added
 * @throws MoraineError `COMMIT_CONFLICT`, also when the planning snapshot has expired or was rolled back
 */
export async function validateUntouched(
  base: Table,
  since: bigint | null,
  touches: RemovalTest,
  mayBeAppended: RemovalTest = () => false,
): Promise<void> {
  const current = base.metadata.currentSnapshotId;
  if (current === since) return;
  const conflict = (reason: string) =>
    new MoraineError(
      'COMMIT_CONFLICT',
      `The overwrite was planned on snapshot ${since ?? 'none'}, but ${reason}: plan again.`,
    );
  if (current === null) throw conflict('the table has been rolled back');
  const changes = await snapshotChanges(base, since, current);
  if ('gap' in changes) throw conflict(changes.gap === 'expired' ? 'it has expired' : 'it is no longer in the history');
  for (const change of changes.snapshots) {
    const isAllowed = ({ file }: PlannedFile): boolean => change.operation === 'append' && mayBeAppended(file);
    const changed = [...change.added.filter((planned) => !isAllowed(planned)), ...change.removed];
    const touched = changed.find(({ file }) => touches(file));
    if (touched === undefined && !change.addedDeleteFiles) continue;
    throw conflict(
      `snapshot ${change.snapshot.snapshotId} changed the same partitions (${touched?.file.filePath ?? 'delete files'})`,
    );
  }
}
