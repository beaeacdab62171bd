/** Conditions that hold for every table after any fault. */
import { expect } from 'vitest';
import { RUN_KEY, readManifestEntries, readSnapshotManifests, type Table, WINDOW_KEYS } from '../../tables/index.js';

/** Every file that a snapshot reaches is there, as long as it is listed, and no run or window was committed twice. */
export async function expectIntact(table: Table): Promise<void> {
  const { metadata, io } = table;
  const expectFile = async (path: string, sizeBytes: bigint): Promise<void> => {
    expect((await io.stat(path)).sizeBytes, path).toBe(Number(sizeBytes));
  };
  const keys: string[] = [];
  for (const snapshot of metadata.snapshots) {
    keys.push(...[RUN_KEY, WINDOW_KEYS].flatMap((name) => snapshot.summary.get(name)?.split(' ') ?? []));
    // Manifests that were read before are known without their files.
    await io.stat(snapshot.manifestList ?? '');
    for (const manifest of await readSnapshotManifests(io, snapshot)) {
      await expectFile(manifest.manifestPath, manifest.manifestLength);
      for (const { status, dataFile } of await readManifestEntries(io, metadata, manifest)) {
        if (status !== 'deleted') await expectFile(dataFile.filePath, dataFile.fileSizeInBytes);
      }
    }
  }
  expect(keys.toSorted()).toEqual([...new Set(keys)].toSorted());
}
