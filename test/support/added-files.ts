import type { Location } from '../../locations/index.js';
import { readManifestEntries, readSnapshotManifests, type Table } from '../../tables/index.js';

/**
 * Data files that snapshots of a kind (`moraine.kind`) have added, whether or not they were rewritten since. What was committed twice is here twice,
 * also where a compaction has left one of its rows.
 */
export async function filesAddedBy({ io, metadata }: Table, kind: string): Promise<readonly Location[]> {
  const added: Location[] = [];
  for (const snapshot of metadata.snapshots) {
    if (snapshot.summary.get('moraine.kind') !== kind) continue;
    for (const manifest of await readSnapshotManifests(io, snapshot)) {
      if (manifest.content !== 'data' || manifest.addedSnapshotId !== snapshot.snapshotId) continue;
      for (const { status, snapshotId, dataFile } of await readManifestEntries(io, metadata, manifest))
        if (status === 'added' && snapshotId === snapshot.snapshotId) added.push(dataFile.filePath);
    }
  }
  return added;
}
