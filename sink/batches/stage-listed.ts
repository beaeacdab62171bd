/** Listing staged files. */
import { afterOutcome } from '../../catalogs/index.js';
import type { DataFile, ManifestFile } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { stageManifest, type Table } from '../../tables/index.js';

/**
 * Writes the manifest of staged files. If that fails the files go.
 * @returns the manifest, and the locations of the files and of itself
 * @throws as {@link stageManifest}
 */
export async function stageListed(
  table: Table,
  dataFiles: readonly DataFile[],
  attemptId: string,
): Promise<{ readonly manifest: ManifestFile; readonly files: readonly Location[] }> {
  const files = dataFiles.map(({ filePath }) => filePath);
  try {
    const manifest = await stageManifest(table, dataFiles, attemptId);
    return { manifest, files: [...files, manifest.manifestPath] };
  } catch (error) {
    await deleteStaged(table, files);
    throw error;
  }
}

/** Deletes files that certainly did not land and will not. What cannot be deleted is left to the orphan sweep. */
export async function deleteStaged({ io }: Pick<Table, 'io'>, files: readonly Location[]): Promise<void> {
  await afterOutcome(...files.map((location) => () => io.delete(location)));
}
