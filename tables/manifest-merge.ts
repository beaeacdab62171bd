/**
 * Merging of small manifests, so that planning and commits stay flat as commits grow.
 * Properties and defaults: `commit.manifest-merge.enabled`, `commit.manifest.target-size-bytes`, `commit.manifest.min-count-to-merge`.
 */
import type { ManifestEntry, ManifestFile, TableMetadata } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { mapConcurrently, readManifestEntries } from './manifest-files.js';
import { createManifest, type PendingSnapshot } from './manifest-writer.js';

const DEFAULT_TARGET_BYTES = 8 * 2 ** 20;
const DEFAULT_MIN_COUNT = 100;

interface MergeLimits {
  readonly enabled: boolean;
  readonly targetBytes: bigint;
  readonly minCount: number;
}

function positiveProperty(metadata: TableMetadata, name: string, fallback: number): number {
  const value = Number(metadata.properties.get(name));
  return Number.isInteger(value) && value > 0 ? value : fallback;
}

function mergeLimits(metadata: TableMetadata): MergeLimits {
  return {
    enabled: metadata.properties.get('commit.manifest-merge.enabled') !== 'false',
    targetBytes: BigInt(positiveProperty(metadata, 'commit.manifest.target-size-bytes', DEFAULT_TARGET_BYTES)),
    minCount: positiveProperty(metadata, 'commit.manifest.min-count-to-merge', DEFAULT_MIN_COUNT),
  };
}

/**
 * Packs neighbours into bins of at most the target size, oldest first, so that what is merged stays merged: only the bin
 * of the newest manifests is open.
 * @param manifests newest first
 * @returns bins, newest first
 */
export function packManifests(manifests: readonly ManifestFile[], targetBytes: bigint): readonly ManifestFile[][] {
  const bins: ManifestFile[][] = [];
  let size = targetBytes;
  for (const manifest of manifests.toReversed()) {
    if (size + manifest.manifestLength > targetBytes) {
      bins.unshift([]);
      size = 0n;
    }
    bins[0]?.unshift(manifest);
    size += manifest.manifestLength;
  }
  return bins;
}

/**
 * How an entry is carried into a manifest that the pending snapshot writes: live files of other snapshots become
 * existing, with their own ids and numbers; deletions are kept only of the pending snapshot.
 */
export function carryEntry(entry: ManifestEntry, pending: PendingSnapshot): ManifestEntry | null {
  if (entry.snapshotId === pending.snapshotId) {
    // Null: inherited from the list, so that nothing here depends on the number.
    return entry.status === 'added' ? { ...entry, sequenceNumber: null, fileSequenceNumber: null } : entry;
  }
  return entry.status === 'deleted' ? null : { ...entry, status: 'existing' };
}

/** What merging did: the manifests to list, and the files it created. */
export interface MergeResult {
  readonly manifests: readonly ManifestFile[];
  readonly created: readonly ManifestFile[];
}

/**
 * Merges data manifests of the same spec where there are enough of them; delete manifests are left alone.
 * @param manifests newest first, of the pending snapshot and its parent
 */
export async function mergeManifests(
  io: FileIO,
  metadata: TableMetadata,
  manifests: readonly ManifestFile[],
  pending: PendingSnapshot,
): Promise<MergeResult> {
  const limits = mergeLimits(metadata);
  const data = manifests.filter((manifest) => manifest.content === 'data');
  if (!limits.enabled || data.length < 2) return { manifests, created: [] };
  const created: ManifestFile[] = [];
  const result: ManifestFile[] = [];
  for (const specId of new Set(data.map((manifest) => manifest.partitionSpecId))) {
    const bins = packManifests(
      data.filter((manifest) => manifest.partitionSpecId === specId),
      limits.targetBytes,
    );
    for (const [i, bin] of bins.entries()) {
      const isOpen = i === 0 && bin.length < limits.minCount;
      if (bin.length < 2 || isOpen) {
        result.push(...bin);
        continue;
      }
      const merged = await mergeBin(io, metadata, specId, bin, pending);
      created.push(merged);
      result.push(merged);
    }
  }
  return { manifests: [...result, ...manifests.filter((manifest) => manifest.content === 'deletes')], created };
}

async function mergeBin(
  io: FileIO,
  metadata: TableMetadata,
  specId: number,
  bin: readonly ManifestFile[],
  pending: PendingSnapshot,
): Promise<ManifestFile> {
  const read = await mapConcurrently(bin, (manifest) => readManifestEntries(io, metadata, manifest));
  const entries = read.flat().flatMap((entry) => carryEntry(entry, pending) ?? []);
  return createManifest(io, metadata, specId, entries, `merged-${pending.snapshotId}`, pending);
}
