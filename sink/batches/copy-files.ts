/**
 * Files of a batch under new names. A snapshot that had the batch, and was rolled back, may be expired at any moment: then its files go, whatever
 * other snapshot lists them by then.
 */
import { randomUUID } from 'node:crypto';
import type { ManifestFile } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { dataFileLocation } from '../../staging/index.js';
import { readManifestEntries, stageManifest, type Table } from '../../tables/index.js';

/** A snapshot that was rolled back has had the batch: its files are not committed again. */
export class BatchRolledBack extends Error {}

/**
 * Copies the data files that manifests list, and lists the copies.
 * @returns the new manifests, and all new files
 * @throws MoraineError `FILE_NOT_FOUND` for a file that is gone
 */
export async function copyFiles(
  table: Table,
  manifests: readonly ManifestFile[],
): Promise<{ readonly manifests: readonly ManifestFile[]; readonly files: readonly Location[] }> {
  const { io, metadata } = table;
  const copied: ManifestFile[] = [];
  const files: Location[] = [];
  for (const manifest of manifests) {
    const attemptId = randomUUID();
    const entries = await readManifestEntries(io, metadata, manifest);
    const copies = [];
    for (const [index, { dataFile }] of entries.entries()) {
      const { filePath, fileSizeInBytes } = dataFile;
      const extension = /\.[^./]*$/.exec(filePath)?.[0] ?? '';
      const location = dataFileLocation(metadata, `${attemptId}-${index}${extension}`);
      await io.createFrom(location, io.readRange(filePath, { offset: 0, length: Number(fileSizeInBytes) }));
      copies.push({ ...dataFile, filePath: location });
      files.push(location);
    }
    const listed = await stageManifest(table, copies, attemptId);
    copied.push(listed);
    files.push(listed.manifestPath);
  }
  return { manifests: copied, files };
}
