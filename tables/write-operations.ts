/** The two operations that write data: append, and overwrite of partitions or files. */
import { randomUUID } from 'node:crypto';
import { MoraineError } from '../errors/index.js';
import type { DataFile, ManifestFile, PartitionTuple } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import { type CommitOptions, type CommitResult, commitWithRetry } from './commit.js';
import { type DataSequenceNumber, stageFiles, withSequenceNumbers } from './manifest-writer.js';
import { type FileRemoval, partitionsOf, type RemovalTest, validateUntouched } from './remove-files.js';
import { prepareSnapshot } from './snapshot-producer.js';
import type { Table } from './table.js';

/** New files: manifests that were staged before, or files to stage now. */
export interface NewFiles {
  readonly manifests?: readonly ManifestFile[];
  readonly files?: readonly DataFile[];
}

/** Delete files that no snapshot lists yet. */
export interface NewDeletes {
  readonly files: readonly DataFile[];
  /** Live delete files whose positions are in the new ones. */
  readonly replaced: readonly DataFile[];
  /** Staged files that are appended in place of the request's; absent: none are. */
  readonly rewritten?: RewrittenFiles;
}

/** Files that were staged for one base. */
export interface RewrittenFiles {
  readonly manifests: readonly ManifestFile[];
  /** Locations of the manifests, and of the files that they list. */
  readonly locations: readonly Location[];
}

export interface AppendRequest extends NewFiles, CommitOptions {
  /** Writes deletes that go with the files, anew for every base: its snapshot has those that it was asked for. */
  readonly deletesOn?: (base: Table) => Promise<NewDeletes>;
}

export interface OverwriteRequest extends NewFiles, CommitOptions {
  /** Removes every live file of these partitions. Files of other partition specs are left alone. */
  readonly removePartitions?: { readonly specId: number; readonly tuples: readonly PartitionTuple[] };
  /** Removes these files, by their location as the table has it. */
  readonly removeFiles?: readonly string[];
  /**
   * The snapshot that the overwrite was planned on (null: the table had none). If a newer one changed the removed
   * partitions, the commit is refused with `COMMIT_CONFLICT`. Left out, whatever is there now is replaced.
   */
  readonly validateNoNewFilesFrom?: bigint | null;
  /** Files that others must not have added or removed since; by default those of the partitions that files are removed from. */
  readonly validateFiles?: RemovalTest;
  /** Of these, files that others may have appended. */
  readonly mayBeAppended?: RemovalTest;
  /**
   * Data sequence numbers of new files, each at least that of every file and every delete that goes; all have the snapshot's unless given. Rows that others
   * have appended since a number come after those of its file.
   */
  readonly dataSequenceNumber?: DataSequenceNumber | undefined;
  /** New delete files, for files that stay. */
  readonly deleteFiles?: readonly DataFile[];
  /** Delete files that go: those that new ones replace. */
  readonly removeDeleteFiles?: readonly DataFile[];
}

/** The manifests of new files, those of `files` staged now. */
export async function stageAll(table: Table, request: NewFiles): Promise<readonly ManifestFile[]> {
  const staged = request.files === undefined ? [] : await stageFiles(table, request.files, randomUUID());
  return [...(request.manifests ?? []), ...staged];
}

/**
 * Adds files in one snapshot, on whatever the table holds by then. See {@link commitWithRetry} for outcomes and errors.
 * With no file at all the snapshot is still made: it carries the run's key and properties.
 */
export async function commitAppend(table: Table, request: AppendRequest): Promise<CommitResult> {
  const added = await stageAll(table, request);
  const prepare = async (base: Table) => {
    const deletes = await request.deletesOn?.(base);
    if (deletes === undefined) return await prepareSnapshot(base, { added }, request);
    const { files, replaced, rewritten } = deletes;
    const content = { added: rewritten?.manifests ?? added, addedDeletes: files, removedDeletes: replaced };
    const prepared = await prepareSnapshot(base, content, request);
    const written = [...files.map(({ filePath }) => filePath), ...(rewritten?.locations ?? [])];
    return { ...prepared, ownFiles: [...prepared.ownFiles, ...written] };
  };
  return commitWithRetry(table, prepare, request);
}

/** Replaces files in one snapshot. See {@link OverwriteRequest} and {@link commitWithRetry}. */
export async function commitOverwrite(table: Table, request: OverwriteRequest): Promise<CommitResult> {
  const removal = removalOf(request);
  const since = request.validateNoNewFilesFrom;
  const { dataSequenceNumber } = request;
  const staged = await stageAll(table, request);
  const added =
    dataSequenceNumber === undefined ? staged : await withSequenceNumbers(table, staged, dataSequenceNumber);
  const deletes = {
    ...(request.deleteFiles === undefined ? {} : { addedDeletes: request.deleteFiles }),
    ...(request.removeDeleteFiles === undefined ? {} : { removedDeletes: request.removeDeleteFiles }),
  };
  const prepare = async (base: Table) => {
    if (since !== undefined) {
      const touches = request.validateFiles ?? (await partitionsOf(base, removal));
      await validateUntouched(base, since, touches, request.mayBeAppended);
    }
    return prepareSnapshot(base, { added, dataSequenceNumber, removal, ...deletes }, request);
  };
  return commitWithRetry(table, prepare, request);
}

function removalOf({ removePartitions, removeFiles }: OverwriteRequest): FileRemoval {
  if (removePartitions !== undefined && removeFiles === undefined) return { partitions: removePartitions };
  if (removeFiles !== undefined && removePartitions === undefined) return { files: removeFiles };
  throw new MoraineError('INVALID_ARGUMENT', 'An overwrite needs either the partitions or the files to remove.');
}
