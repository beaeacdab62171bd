/** Equality deletes that arrive for an online table while it is compacted. */
import { MoraineError } from '../../errors/index.js';
import { currentSnapshot, isUnpartitioned, partitionKey } from '../../iceberg/index.js';
import { readManifestEntries, readSnapshotManifests, type Table } from '../../tables/index.js';
import type { StoredPlan } from './read-compaction-plan.js';

/**
 * An equality delete that arrives meanwhile reaches the new files by their sequence number. But rows that the compaction left out
 * cannot come back in the place of those it takes, unless it takes all rows of an entity.
 * @param base what the commit builds on
 * @throws COMMIT_CONFLICT plan again
 */
export async function refuseUncoveringDeletes(plan: StoredPlan, groups: readonly number[], base: Table): Promise<void> {
  const { online, sequenceNumber: plannedAt } = plan.head;
  if (online === null) return;
  const keys = new Set([online.keyId, ...online.joinKeyIds]);
  const chosen = groups.map((index) => plan.group(index));
  const folds = chosen.some(({ into }) => into !== undefined);
  const partitions = new Set(chosen.map((group) => partitionKey(group.specId, group.partition)));
  const global = new Set(base.metadata.partitionSpecs.filter(isUnpartitioned).map(({ specId }) => specId));
  const manifests = await readSnapshotManifests(base.io, currentSnapshot(base.metadata));
  const newer = manifests.filter(({ content, sequenceNumber }) => content === 'deletes' && sequenceNumber > plannedAt);
  for (const manifest of newer) {
    for (const { status, sequenceNumber, dataFile } of await readManifestEntries(base.io, base.metadata, manifest)) {
      if (status === 'deleted' || dataFile.content !== 'equality-deletes' || (sequenceNumber ?? 0n) <= plannedAt)
        continue;
      const reaches = global.has(dataFile.specId) || partitions.has(partitionKey(dataFile.specId, dataFile.partition));
      // Folded rows come into partitions whose deletes did not reach them.
      if (!folds && (!reaches || (dataFile.equalityIds ?? []).every((id) => keys.has(id)))) continue;
      throw new MoraineError(
        'COMMIT_CONFLICT',
        `The equality deletes in ${dataFile.filePath} arrived since the compaction was planned: plan again.`,
      );
    }
  }
}
