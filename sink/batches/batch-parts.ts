/** Parts of a batch: each writer may stage its own for a checkpoint, and all of them are committed together. */
import { createHash, randomUUID } from 'node:crypto';
import type { ManifestFile } from '../../iceberg/index.js';
import { readManifestEntries, stageFiles, type Table } from '../../tables/index.js';
import { joinRanges } from '../protocol/batch-ranges.js';
import type { SinkSnapshot, SnapshotBatch, StagedBatch } from './staged-batch.js';

/** The id of a batch that has these parts: the same for the same parts in any order, and that of its only part. */
function idOfParts(parts: readonly { readonly id: string }[]): string {
  const [first, ...others] = parts;
  if (first !== undefined && others.length === 0) return first.id;
  const ids = parts.map(({ id }) => id).sort();
  const hash = createHash('sha256').update(ids.join('\n')).digest('hex');
  return [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 16), hash.slice(16, 20), hash.slice(20, 32)].join('-');
}

/** The batches of checkpoints in the order in which they were staged, each with the parts that the states have of it. */
export function batchesOf(states: readonly SinkSnapshot[]): readonly (readonly SnapshotBatch[])[] {
  const batches = new Map<string, Map<string, SnapshotBatch>>();
  for (const batch of states.flatMap((state) => state.batches)) {
    const key = keyOf(batch);
    batches.set(key, (batches.get(key) ?? new Map<string, SnapshotBatch>()).set(batch.id, batch));
  }
  return [...batches.values()].map((parts) => [...parts.values()]).sort(byOrder);
}

/** Tells a batch from all others, whichever of its parts is at hand. */
export const keyOf = ({ id, partOf }: SnapshotBatch): string => partOf ?? id;

/** States of earlier versions have no order: there is one of them, and its batches lie as they were staged. */
function byOrder([a]: readonly SnapshotBatch[], [b]: readonly SnapshotBatch[]): number {
  const [[epochA, numberA], [epochB, numberB]] = [a?.order ?? ['0', 0], b?.order ?? ['0', 0]];
  return Number(BigInt(epochA) - BigInt(epochB)) || numberA - numberB;
}

/**
 * The parts of a batch as one. Their dead letters are left to the caller.
 * @returns what there is to commit; `pending` is empty
 */
export async function joinParts(table: Table, parts: readonly StagedBatch[]): Promise<StagedBatch> {
  const manifests = await joinManifests(
    table,
    parts.flatMap((part) => part.manifests),
  );
  const files = new Set([...parts.flatMap((part) => part.files), ...manifests.map(({ manifestPath }) => manifestPath)]);
  return {
    id: idOfParts(parts),
    parts: parts.map(({ id }) => id),
    ranges: joinRanges(parts.flatMap(({ ranges }) => ranges)),
    manifests,
    schemaIds: [...new Set(parts.flatMap((part) => part.schemaIds))],
    delivery: parts.some(({ delivery }) => delivery === 'at-least-once') ? 'at-least-once' : 'exactly-once',
    rows: parts.reduce((sum, { rows }) => sum + rows, 0n),
    superseded: parts.reduce((sum, { superseded }) => sum + superseded, 0n),
    rejected: parts.flatMap(({ rejected }) => rejected),
    pending: [],
    files: [...files],
  };
}

/** Staged manifests as one for each partition spec: readers open one of a batch, however many writers there were. */
export async function joinManifests(
  table: Table,
  manifests: readonly ManifestFile[],
  attemptId: string = randomUUID(),
): Promise<readonly ManifestFile[]> {
  if (manifests.length <= 1) return manifests;
  const files = [];
  for (const manifest of manifests)
    for (const { dataFile } of await readManifestEntries(table.io, table.metadata, manifest)) files.push(dataFile);
  return await stageFiles(table, files, attemptId);
}
