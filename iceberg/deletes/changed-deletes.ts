/** How the deletes of one data file differ between two snapshots. */
import { type DeleteFile, type FileDeletes, hasDeletes, NO_DELETES } from './delete-index.js';

/** Deletes that the file has in one of two snapshots alone: a row that is live in one of them only is taken by some of these. */
export interface ChangedDeletes {
  readonly before: FileDeletes;
  readonly after: FileDeletes;
}

/** Undefined: the same rows of the file are live in both. */
export function changedDeletes(
  before: FileDeletes = NO_DELETES,
  after: FileDeletes = NO_DELETES,
): ChangedDeletes | undefined {
  const changed = { before: without(before, after), after: without(after, before) };
  return hasDeletes(changed.before) || hasDeletes(changed.after) ? changed : undefined;
}

function without(deletes: FileDeletes, others: FileDeletes): FileDeletes {
  const known = new Set(
    [...(others.vector === undefined ? [] : [others.vector]), ...others.positions, ...others.equality].map(identityOf),
  );
  const isOwn = (entry: DeleteFile): boolean => !known.has(identityOf(entry));
  const { vector, positions, equality } = deletes;
  return {
    vector: vector !== undefined && isOwn(vector) ? vector : undefined,
    positions: positions.filter(isOwn),
    equality: equality.filter(isOwn),
    pruned: 0,
  };
}

/** One delete file may apply to all data files of a table: its identity is made once. */
const identities = new WeakMap<DeleteFile, string>();

/** Several vectors lie in one file; a delete that is committed again reaches younger files. */
function identityOf(entry: DeleteFile): string {
  const known = identities.get(entry);
  if (known !== undefined) return known;
  const { file, sequenceNumber } = entry;
  const identity = JSON.stringify([file.filePath, String(file.contentOffset ?? ''), String(sequenceNumber)]);
  identities.set(entry, identity);
  return identity;
}
