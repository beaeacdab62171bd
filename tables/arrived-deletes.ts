/** Deletes by other writers since a change of data files was planned: the files of a rewrite do not know of them. */
import { MoraineError } from '../errors/index.js';
import {
  changedDeletes,
  currentSnapshot,
  type DataFile,
  findSnapshot,
  isAncestor,
  type Snapshot,
  type TableMetadata,
} from '../iceberg/index.js';
import { deletesOfFiles, type FileWithDeletes } from './deletes-of-files.js';
import { snapshotChanges } from './snapshot-changes.js';
import type { Table } from './table.js';

/** Deletes of one data file that arrived after the change was planned. */
export interface ArrivedDeletes {
  /** The data file, as it was planned. */
  readonly dataFile: DataFile;
  /**
   * Position-delete files, or the one vector, which holds the file's older positions, too. A position-delete file may name rows of
   * other data files besides. `every-row`: the file itself has left the table.
   */
  readonly deletes: readonly DataFile[] | 'every-row';
}

/** The snapshot that a change was planned on. @throws MoraineError `COMMIT_CONFLICT` */
export function planningSnapshot(metadata: TableMetadata, plannedOn: bigint): Snapshot {
  const snapshot = findSnapshot(metadata, plannedOn);
  if (snapshot === undefined) throw planAgain(plannedOn, 'it has expired or never was in this table');
  return snapshot;
}

export function planAgain(plannedOn: bigint, reason: string): MoraineError {
  return new MoraineError(
    'COMMIT_CONFLICT',
    `The change was planned on snapshot ${plannedOn}, but ${reason}: plan again.`,
  );
}

/**
 * The deletes of planned files that arrived between the planning snapshot and the base, but for equality deletes.
 *
 * A file that a `delete` or `overwrite` took out lost all its rows: what an overwrite kept of them (copy-on-write) is in the files that
 * it added, which stay as they are.
 * @param locations of the data files, as they were planned
 * @throws MoraineError `COMMIT_CONFLICT` when the change has to be planned again: deletes were taken back, another rewrite took one of
 *   its files, or the planning snapshot is no longer in the table's history
 */
export async function arrivedDeletes(
  base: Table,
  plannedOn: bigint,
  locations: readonly string[],
): Promise<readonly ArrivedDeletes[]> {
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
  const [before, after] = await Promise.all([
    deletesOfFiles(base, planned, locations),
    deletesOfFiles(base, current, locations),
  ]);
  const left = [...before].flatMap(([path, { dataFile }]) => (after.has(path) ? [] : [dataFile]));
  if (left.length > 0) await requireDeleted(base, plannedOn, current, left);
  return [
    ...left.map((dataFile) => ({ dataFile, deletes: 'every-row' as const })),
    ...[...after].flatMap(([path, { dataFile, ...file }]) => {
      const deletes = newDeletes(plannedOn, path, before.get(path), file);
      return deletes.length === 0 ? [] : [{ dataFile, deletes }];
    }),
  ];
}

/** Files that have left by a `replace` have their rows in other files now: to be planned with those. */
async function requireDeleted(
  base: Table,
  plannedOn: bigint,
  current: Snapshot,
  left: readonly DataFile[],
): Promise<void> {
  const unexplained = new Set(left.map(({ filePath }) => filePath));
  const changes = await snapshotChanges(base, plannedOn, current.snapshotId);
  for (const { operation, removed } of 'gap' in changes ? [] : changes.snapshots) {
    for (const { file } of removed) {
      const isOurs = unexplained.delete(file.filePath);
      if (isOurs && operation === 'replace') throw planAgain(plannedOn, `${file.filePath} has been rewritten since`);
    }
  }
  const [path] = unexplained;
  if (path !== undefined) throw planAgain(plannedOn, `${path} is gone, and no snapshot tells how`);
}

/** Position deletes and the vector that a file has got. */
function newDeletes(
  plannedOn: bigint,
  path: string,
  before: Omit<FileWithDeletes, 'dataFile'> | undefined,
  after: Omit<FileWithDeletes, 'dataFile'>,
): readonly DataFile[] {
  // Equality deletes in between do not reach its rows, but would reach those of the new files.
  if (after.sequenceNumber !== before?.sequenceNumber) throw planAgain(plannedOn, `${path} has been added again since`);
  const changed = changedDeletes(before.deletes, after.deletes);
  if (changed === undefined) return [];
  const { vector, positions } = changed.after;
  const gone = changed.before;
  // A new vector takes the place of all older position deletes of its file; nothing takes that of an equality delete.
  const isReplaced = vector !== undefined || (gone.vector === undefined && gone.positions.length === 0);
  if (!isReplaced || gone.equality.length > 0)
    throw planAgain(plannedOn, `deletes of ${path} have been taken back since`);
  return [...(vector === undefined ? [] : [vector]), ...positions].map(({ file }) => file);
}
