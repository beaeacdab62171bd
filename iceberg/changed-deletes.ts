/** How the deletes of one data file differ between two snapshots. */
import { type DeleteFile, type FileDeletes, NO_DELETES } from './delete-index.js';

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
  const isChanged = facts(before).join('\n') !== facts(after).join('\n');
  return isChanged ? { before: without(before, after), after: without(after, before) } : undefined;
}

function without(deletes: FileDeletes, others: FileDeletes): FileDeletes {
  const known = new Set(facts(others));
  const isOwn = (entry: DeleteFile): boolean => !known.has(entryFacts(entry));
  const { vector, positions, equality } = deletes;
  return {
    vector: vector !== undefined && isOwn(vector) ? vector : undefined,
    positions: positions.filter(isOwn),
    equality: equality.filter(isOwn),
    pruned: 0,
  };
}

function facts({ vector, positions, equality }: FileDeletes): readonly string[] {
  return [...(vector === undefined ? [] : [vector]), ...positions, ...equality].map(entryFacts).sort();
}

/** Several vectors lie in one file; a delete that is committed again reaches younger files. */
function entryFacts({ file, sequenceNumber }: DeleteFile): string {
  return JSON.stringify([file.filePath, String(file.contentOffset ?? ''), String(sequenceNumber)]);
}
