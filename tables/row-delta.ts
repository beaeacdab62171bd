/** Row deltas: new data and delete files in one snapshot, for upserts and for deletes that leave data files as they are. */
import { MoraineError } from '../errors/index.js';
import { currentSnapshot, type DataFile, partitionKey, referencedDataFile } from '../iceberg/index.js';
import { arrivedDeletes } from './arrived-deletes.js';
import { type CommitOptions, type CommitResult, commitWithRetry } from './commit.js';
import { deleteFileKey, isVector } from './dangling-deletes.js';
import { deletesOfFiles } from './deletes-of-files.js';
import { validateUntouched } from './remove-files.js';
import { prepareSnapshot } from './snapshot-producer.js';
import type { Table } from './table.js';
import { type NewFiles, stageAll } from './write-operations.js';

export interface RowDeltaRequest extends CommitOptions, NewFiles {
  /** New delete files. Version 3: of positions, one vector per data file at most, merged with the one that it replaces. */
  readonly deleteFiles?: readonly DataFile[];
  /** Data files that go, by location. */
  readonly removeFiles?: readonly string[];
  /** Delete files that go: those that new ones replace. */
  readonly removeDeleteFiles?: readonly DataFile[];
  /**
   * The snapshot that the deletes were planned on (null: the table had none). Data files that go must have lost no deletes since, which
   * would bring back rows that nobody wanted gone. Needed by position-delete files that do not say which data file they are about:
   * a file of their partitions that was removed since is `COMMIT_CONFLICT`.
   */
  readonly plannedOn?: bigint | null;
}

/**
 * Adds data and delete files in one snapshot. Data files that deletes name must still be live and, in version 3, have no other
 * vector.
 * @throws MoraineError `COMMIT_CONFLICT` when the deletes have to be planned again, `INVALID_ARGUMENT` for delete files that the
 *   table's version does not have; else as {@link commitWithRetry}
 */
export async function commitRowDelta(table: Table, request: RowDeltaRequest): Promise<CommitResult> {
  const added = await stageAll(table, request);
  const addedDeletes = request.deleteFiles ?? [];
  const prepare = async (base: Table) => {
    requireVersionOf(base, addedDeletes);
    await validateReferenced(base, addedDeletes, request.removeDeleteFiles ?? []);
    await validatePartitions(base, addedDeletes, request.plannedOn);
    if (request.removeFiles !== undefined && request.plannedOn != null)
      await arrivedDeletes(base, request.plannedOn, request.removeFiles);
    const content = {
      added,
      addedDeletes,
      ...(request.removeFiles === undefined ? {} : { removal: { files: request.removeFiles } }),
      ...(request.removeDeleteFiles === undefined ? {} : { removedDeletes: request.removeDeleteFiles }),
    };
    return prepareSnapshot(base, content, request);
  };
  return commitWithRetry(table, prepare, request);
}

/** Specification, "Deletion Vectors": version 2 has none, and version 3 takes no new position-delete file. */
function requireVersionOf({ metadata }: Table, deletes: readonly DataFile[]): void {
  const isVersion3 = metadata.formatVersion === 3;
  const misfit = deletes.find((file) => file.content === 'position-deletes' && isVector(file) !== isVersion3);
  if (misfit === undefined) return;
  const kind = isVersion3
    ? 'deletion vectors, not position-delete files'
    : 'position-delete files, not deletion vectors';
  const message = `${misfit.filePath} cannot be added: a table of format version ${metadata.formatVersion} takes ${kind}.`;
  throw new MoraineError('INVALID_ARGUMENT', message);
}

async function validateReferenced(
  base: Table,
  deletes: readonly DataFile[],
  removed: readonly DataFile[],
): Promise<void> {
  const paths = deletes.flatMap((file) => (file.content === 'data' ? [] : (referencedDataFile(file) ?? [])));
  const vectors = deletes.filter(isVector).map((file) => referencedDataFile(file) ?? '');
  if (new Set(vectors).size < vectors.length) {
    throw new MoraineError('INVALID_ARGUMENT', 'Two of the deletion vectors are of the same data file: merge them.');
  }
  if (paths.length === 0) return;
  const snapshot = currentSnapshot(base.metadata);
  const live = snapshot === null ? new Map<string, never>() : await deletesOfFiles(base, snapshot, paths);
  const replaced = new Set(removed.map(deleteFileKey));
  const conflict = (path: string, reason: string) =>
    new MoraineError('COMMIT_CONFLICT', `Rows of ${path} are to be deleted, but ${reason}: plan again.`);
  for (const path of paths) {
    const found = live.get(path);
    if (found === undefined) throw conflict(path, 'it is no longer in the table');
    const { vector } = found.deletes;
    if (!vectors.includes(path) || vector === undefined || replaced.has(deleteFileKey(vector.file))) continue;
    throw conflict(path, `another writer has given it the deletion vector in ${vector.file.filePath}`);
  }
}

/** For position-delete files of whole partitions, whose data files nobody knows here. */
async function validatePartitions(
  base: Table,
  deletes: readonly DataFile[],
  plannedOn: bigint | null | undefined,
): Promise<void> {
  const isWide = (file: DataFile) => file.content === 'position-deletes' && referencedDataFile(file) === undefined;
  const wide = deletes.filter(isWide);
  if (wide.length === 0) return;
  if (plannedOn === undefined) {
    const message = `${wide[0]?.filePath ?? ''} names no data file: say which snapshot its deletes were planned on.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const partitions = new Set(wide.map((file) => partitionKey(file.specId, file.partition)));
  const touches = (file: DataFile) => partitions.has(partitionKey(file.specId, file.partition));
  await validateUntouched(base, plannedOn, touches);
}
