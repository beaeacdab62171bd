/** Rewrites: the same rows in other files. A rewrite is re-applied to whatever the table holds by the time it commits. */
import { randomUUID } from 'node:crypto';
import { pathSegment } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import {
  changedDeletes,
  currentSnapshot,
  type DataFile,
  findSnapshot,
  isAncestor,
  type ManifestFile,
  type Snapshot,
  type TableMetadata,
} from '../iceberg/index.js';
import { type CommitOptions, type CommitResult, commitWithRetry } from './commit.js';
import { deletesOfFiles } from './deletes-of-files.js';
import { mapConcurrently, readManifestEntries } from './manifest-files.js';
import { addedEntry, createManifest } from './manifest-writer.js';
import { prepareSnapshot } from './snapshot-producer.js';
import type { Table } from './table.js';
import { stageAll } from './write-operations.js';

/** Position deletes that another writer has committed for a file since its rewrite was planned. */
export interface ArrivedDeletes {
  /** The removed data file. */
  readonly dataFile: DataFile;
  /**
   * Position-delete files, or the one vector, which holds the file's older positions, too. A position-delete file may name rows of
   * other data files besides.
   */
  readonly deletes: readonly DataFile[];
}

export interface RewriteRequest extends CommitOptions {
  /** The snapshot that the rewrite was planned on. Its sequence number becomes the data sequence number of the new files. */
  readonly plannedOn: bigint;
  /** Data files that the new ones replace, by location. All must still be live, else `COMMIT_CONFLICT`. */
  readonly removeFiles: readonly string[];
  /** New data files: manifests that were staged before, or files to stage now. */
  readonly manifests?: readonly ManifestFile[];
  readonly files?: readonly DataFile[];
  /**
   * Asked on every base whose position deletes or vectors of removed files are newer than the plan: gives the delete files for
   * the new files, whose positions it has mapped. Without it such a base is `COMMIT_CONFLICT`: plan again. Equality deletes need
   * nothing: the kept sequence number lets them reach the new files.
   */
  readonly rebaseDeletes?: (base: Table, arrived: readonly ArrivedDeletes[]) => Promise<readonly DataFile[]>;
  /** Whether delete files that reach no data file afterwards leave in the same commit; true unless told otherwise. */
  readonly dropDanglingDeletes?: boolean;
}

/**
 * Replaces data files by others with the same rows, in one snapshot of the operation `replace`.
 * @throws MoraineError `COMMIT_CONFLICT` when the rewrite has to be planned again: a file is gone, its deletes changed, or the
 *   planning snapshot is no longer in the table's history; else as {@link commitWithRetry}
 */
export async function commitRewrite(table: Table, request: RewriteRequest): Promise<CommitResult> {
  const dataSequenceNumber = planningSnapshot(table.metadata, request.plannedOn).sequenceNumber;
  const added = await withSequenceNumber(table, await stageAll(table, request), dataSequenceNumber);
  const prepare = async (base: Table) => {
    const addedDeletes = await deletesToCarry(base, request);
    const content = {
      operation: 'replace' as const,
      added,
      dataSequenceNumber,
      addedDeletes,
      removal: { files: request.removeFiles },
      dropDanglingDeletes: request.dropDanglingDeletes ?? true,
    };
    return prepareSnapshot(base, content, request);
  };
  return commitWithRetry(table, prepare, request);
}

function planningSnapshot(metadata: TableMetadata, plannedOn: bigint): Snapshot {
  const snapshot = findSnapshot(metadata, plannedOn);
  if (snapshot === undefined) throw planAgain(plannedOn, 'it has expired or never was in this table');
  return snapshot;
}

function planAgain(plannedOn: bigint, reason: string): MoraineError {
  return new MoraineError(
    'COMMIT_CONFLICT',
    `The rewrite was planned on snapshot ${plannedOn}, but ${reason}: plan again.`,
  );
}

/** The staged manifests, written anew with entries that hold the data sequence number themselves. */
async function withSequenceNumber(
  table: Table,
  staged: readonly ManifestFile[],
  sequenceNumber: bigint,
): Promise<readonly ManifestFile[]> {
  const prefix = `rewrite-${pathSegment(randomUUID())}`;
  return mapConcurrently(staged, async (manifest) => {
    const entries = await readManifestEntries(table.io, table.metadata, manifest);
    const numbered = entries.map(({ dataFile }) => ({ ...addedEntry(dataFile), sequenceNumber }));
    const content = { content: 'data' as const, specId: manifest.partitionSpecId, entries: numbered };
    return createManifest(table, content, prefix);
  });
}

/** Delete files that the new files need on this base, once it is certain that nothing else happened to the removed ones. */
async function deletesToCarry(base: Table, request: RewriteRequest): Promise<readonly DataFile[]> {
  const { plannedOn } = request;
  const current = currentSnapshot(base.metadata);
  if (current?.snapshotId === plannedOn) return [];
  const planned = planningSnapshot(base.metadata, plannedOn);
  if (current === null || !isAncestor(base.metadata, plannedOn, current.snapshotId)) {
    throw planAgain(plannedOn, 'the table has been rolled back');
  }
  // Rows of a table that was upgraded get their ids with the next commit: the new files do not hold them.
  if (planned.firstRowId === undefined && current.firstRowId !== undefined) {
    throw planAgain(plannedOn, 'the rows have got row ids since');
  }
  const arrived = await arrivedDeletes(base, planned, current, request);
  if (arrived.length === 0) return [];
  if (request.rebaseDeletes !== undefined) return request.rebaseDeletes(base, arrived);
  throw planAgain(plannedOn, `rows of ${arrived[0]?.dataFile.filePath ?? 'its files'} have been deleted since`);
}

async function arrivedDeletes(
  base: Table,
  planned: Snapshot,
  current: Snapshot,
  { plannedOn, removeFiles }: RewriteRequest,
): Promise<readonly ArrivedDeletes[]> {
  const [before, after] = await Promise.all([
    deletesOfFiles(base, planned, removeFiles),
    deletesOfFiles(base, current, removeFiles),
  ]);
  const arrived: ArrivedDeletes[] = [];
  for (const [path, { dataFile, deletes }] of after) {
    const changed = changedDeletes(before.get(path)?.deletes, deletes);
    if (changed === undefined) continue;
    const { vector, positions } = changed.after;
    const gone = changed.before;
    // A new vector takes the place of all older position deletes of its file; nothing takes that of an equality delete.
    const isReplaced = vector !== undefined || (gone.vector === undefined && gone.positions.length === 0);
    if (!isReplaced || gone.equality.length > 0)
      throw planAgain(plannedOn, `deletes of ${path} have been taken back since`);
    const files = [...(vector === undefined ? [] : [vector]), ...positions].map(({ file }) => file);
    if (files.length > 0) arrived.push({ dataFile, deletes: files });
  }
  return arrived;
}
