/** Planned files as the engine opens them. */
import type { FileIO } from '../storage/index.js';
import type { PlannedFile } from '../tables/index.js';
import type { OpenFile, OpenRead } from './extract-sql.js';
import type { PlannedSourceFile, SourceRead } from './plan.js';

/** What a plan keeps of a file. */
export function plannedSourceFile(planned: PlannedFile): PlannedSourceFile {
  return {
    path: planned.file.filePath,
    recordCount: planned.file.recordCount,
    fileSizeInBytes: planned.file.fileSizeInBytes,
    sequenceNumber: planned.sequenceNumber,
  };
}

/** Checks every path against the storage roots. @throws LOCATION_REFUSED, FILE_NOT_FOUND */
export async function openFiles(io: FileIO, files: readonly PlannedSourceFile[]): Promise<readonly OpenFile[]> {
  return Promise.all(files.map(async (file) => ({ ...file, path: await io.resolve(file.path) })));
}

/** The same for whole reads. */
export async function openReads(io: FileIO, reads: readonly SourceRead[]): Promise<readonly OpenRead[]> {
  return Promise.all(reads.map(async (read) => ({ ...read, files: await openFiles(io, read.files) })));
}
