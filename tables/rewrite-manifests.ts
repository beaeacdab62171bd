/** Repacking manifests, so that planning reads few of them and a pruned read even fewer. */
import { currentSnapshot, type ManifestFile } from '../iceberg/index.js';
import { mapConcurrently } from '../storage/index.js';
import { type CommitOptions, type CommitResult, commitWithRetry } from './commit.js';
import { mayHaveLiveFiles, readSnapshotManifests } from './manifest-files.js';
import { type MergeResult, manifestGroups, mergeBin, mergeLimits, packManifests } from './manifest-merge.js';
import type { PendingSnapshot } from './manifest-writer.js';
import { prepareSnapshot } from './snapshot-producer.js';
import type { Table } from './table.js';

export interface RewriteManifestsRequest extends CommitOptions {
  /** Size of a manifest; default: the table's `commit.manifest.target-size-bytes`. */
  readonly targetSizeBytes?: number;
}

/**
 * Packs manifests of the same content and partition spec into ones of the target size. Entries keep their snapshot ids, sequence
 * numbers and row ids.
 * @returns null: there is nothing to gain, and no commit
 */
export async function commitRewriteManifests(
  table: Table,
  request: RewriteManifestsRequest,
): Promise<CommitResult | null> {
  const { targetSizeBytes } = request;
  const target = targetSizeBytes === undefined ? mergeLimits(table.metadata).targetBytes : BigInt(targetSizeBytes);
  const live = (await readSnapshotManifests(table.io, currentSnapshot(table.metadata))).filter(mayHaveLiveFiles);
  if (binsOf(live, target).every((bin) => bin.length < 2)) return null;
  const repack = (base: Table, manifests: readonly ManifestFile[], pending: PendingSnapshot) =>
    mergeBins(base, binsOf(manifests, target), pending);
  const content = { operation: 'replace' as const, added: [], merge: repack };
  return commitWithRetry(table, (base) => prepareSnapshot(base, content, request), request);
}

function binsOf(manifests: readonly ManifestFile[], target: bigint): readonly (readonly ManifestFile[])[] {
  return manifestGroups(manifests).flatMap((group) => packManifests(group, target));
}

async function mergeBins(
  base: Table,
  bins: readonly (readonly ManifestFile[])[],
  pending: PendingSnapshot,
): Promise<MergeResult> {
  const results = await mapConcurrently(bins, async (bin) =>
    bin.length < 2 ? { manifests: bin, created: [] } : mergeOne(base, bin, pending),
  );
  return {
    manifests: results.flatMap(({ manifests }) => manifests),
    created: results.flatMap(({ created }) => created),
  };
}

async function mergeOne(base: Table, bin: readonly ManifestFile[], pending: PendingSnapshot): Promise<MergeResult> {
  const merged = await mergeBin(base, bin, pending);
  return { manifests: [merged], created: [merged] };
}
