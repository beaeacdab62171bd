/** Delete files in a commit: writing the manifests of new ones, taking out those that go. */
import { MoraineError } from '../errors/index.js';
import { type DataFile, type ManifestEntry, type ManifestFile, referencedDataFile } from '../iceberg/index.js';
import { comparableLocation } from '../locations/index.js';
import { mapConcurrently } from '../storage/index.js';
import { danglingTest, deleteFileKey, isVector } from './dangling-deletes.js';
import { addedEntry, createManifest, filesBySpec, type PendingSnapshot, pendingEntries } from './manifest-writer.js';
import { type RemovalResult, removeEntries } from './remove-files.js';
import type { Table } from './table.js';

/** Writes a manifest of new delete files for each partition spec. */
export async function writeDeleteManifests(
  base: Table,
  deletes: readonly DataFile[],
  pending: PendingSnapshot,
): Promise<readonly ManifestFile[]> {
  return mapConcurrently([...filesBySpec(deletes)], ([specId, files]) => {
    const content = { content: 'deletes' as const, specId, entries: files.map(addedEntry) };
    return createManifest(base, content, `deletes-${pending.snapshotId}`, pending);
  });
}

/**
 * Takes out the delete files that are named, the vectors of data files that the commit removes, and if asked all that reach no
 * data file any more.
 * @param data the data manifests after the commit, and the data files that it removes
 * @throws MoraineError `COMMIT_CONFLICT` if a named delete file is no longer in the table
 */
export async function removeDeletes(
  base: Table,
  manifests: readonly ManifestFile[],
  content: { readonly removedDeletes?: readonly DataFile[]; readonly dropDanglingDeletes?: boolean },
  data: Pick<RemovalResult, 'manifests' | 'removed'>,
  pending: PendingSnapshot,
): Promise<RemovalResult> {
  const named = new Set(content.removedDeletes?.map(deleteFileKey));
  const isDangling = await danglingIn(base, manifests, content.dropDanglingDeletes === true, data, pending);
  const removes = (entry: ManifestEntry) => named.has(deleteFileKey(entry.dataFile)) || isDangling(entry);
  const isNoop = named.size === 0 && manifests.length === 0;
  const result = isNoop
    ? { manifests, created: [], removed: [] }
    : await removeEntries(base, manifests, removes, pending);
  requireNamed(named, result.removed);
  return result;
}

async function danglingIn(
  base: Table,
  manifests: readonly ManifestFile[],
  all: boolean,
  data: Pick<RemovalResult, 'manifests' | 'removed'>,
  pending: PendingSnapshot,
): Promise<(entry: ManifestEntry) => boolean> {
  if (manifests.length === 0 || (!all && data.removed.length === 0)) return () => false;
  if (!all) {
    const gone = new Set(data.removed.map(({ filePath }) => comparableLocation(filePath)));
    return ({ dataFile }) => isVector(dataFile) && gone.has(comparableLocation(referencedDataFile(dataFile) ?? ''));
  }
  const read = await mapConcurrently(data.manifests, (manifest) => pendingEntries(base, manifest, pending));
  const live = read.flat().filter(({ status }) => status !== 'deleted');
  return danglingTest(live, base.metadata.partitionSpecs);
}

function requireNamed(named: ReadonlySet<string>, removed: readonly DataFile[]): void {
  const found = new Set(removed.map(deleteFileKey));
  const missing = [...named].filter((key) => !found.has(key));
  if (missing.length === 0) return;
  const message = `${missing.length} of the delete files to replace are no longer in the table (${missing[0] ?? ''}): plan again.`;
  throw new MoraineError('COMMIT_CONFLICT', message, { details: { missing: missing.slice(0, 10) } });
}
