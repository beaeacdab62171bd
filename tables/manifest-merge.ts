/**
 * Merging of small manifests, so that planning and commits stay flat as commits grow.
 * Properties and defaults: `commit.manifest-merge.enabled`, `commit.manifest.target-size-bytes`, `commit.manifest.min-count-to-merge`.
 */
import type { ManifestEntry, ManifestFile, TableMetadata } from '../iceberg/index.js';
import { mapConcurrently } from '../storage/index.js';
import { createManifest, type PendingSnapshot, pendingEntries } from './manifest-writer.js';
import type { Table } from './table.js';

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

/** The table's properties for merging. */
export function mergeLimits(metadata: TableMetadata): MergeLimits {
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
    if (entry.status !== 'added') return entry;
    // Null: inherited from the list, so that nothing here depends on the number.
    const inherits = entry.sequenceNumber === pending.sequenceNumber;
    return { ...entry, ...(inherits ? { sequenceNumber: null } : {}), fileSequenceNumber: null };
  }
  return entry.status === 'deleted' ? null : { ...entry, status: 'existing' };
}

/** Result of merging: the manifests to list, and the files it created. */
export interface MergeResult {
  readonly manifests: readonly ManifestFile[];
  readonly created: readonly ManifestFile[];
}

/** Manifests of one content and one partition spec: such can be merged. */
export function manifestGroups(manifests: readonly ManifestFile[]): readonly (readonly ManifestFile[])[] {
  const groups = new Map<string, ManifestFile[]>();
  for (const manifest of manifests) {
    const key = `${manifest.content}/${manifest.partitionSpecId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [manifest]);
    else group.push(manifest);
  }
  const isData = ([first]: readonly ManifestFile[]) => first?.content === 'data';
  return [...groups.values()].sort((a, b) => Number(isData(b)) - Number(isData(a)));
}

/**
 * Merges manifests of the same content and spec where there are enough of them.
 * @param manifests newest first, of the pending snapshot and its parent
 * @returns data manifests first
 */
export async function mergeManifests(
  base: Table,
  manifests: readonly ManifestFile[],
  pending: PendingSnapshot,
): Promise<MergeResult> {
  const limits = mergeLimits(base.metadata);
  const groups = manifestGroups(manifests);
  if (!limits.enabled) return { manifests: groups.flat(), created: [] };
  const created: ManifestFile[] = [];
  const result: ManifestFile[] = [];
  for (const bins of groups.map((group) => packManifests(group, limits.targetBytes))) {
    for (const [i, bin] of bins.entries()) {
      const isOpen = i === 0 && bin.length < limits.minCount;
      if (bin.length < 2 || isOpen) {
        for (const manifest of bin) result.push(manifest);
        continue;
      }
      const merged = await mergeBin(base, bin, pending);
      created.push(merged);
      result.push(merged);
    }
  }
  return { manifests: result, created };
}

/** Writes one manifest in place of several of one content and spec. */
export async function mergeBin(
  base: Table,
  bin: readonly ManifestFile[],
  pending: PendingSnapshot,
): Promise<ManifestFile> {
  const [first] = bin;
  const read = await mapConcurrently(bin, (manifest) => pendingEntries(base, manifest, pending));
  const entries = read.flat().flatMap((entry) => carryEntry(entry, pending) ?? []);
  const content = { content: first?.content ?? 'data', specId: first?.partitionSpecId ?? 0, entries };
  return createManifest(base, content, `merged-${pending.snapshotId}`, pending);
}
