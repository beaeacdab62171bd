/** Files that were appended to a table while others were rewritten. */
import { type PlannedFile, snapshotChanges, type Table } from '../tables/index.js';
import type { FileIndex } from './file-index.js';

/**
 * The files that snapshots after `before` appended, if what else they did was to replace files by others with the same rows (specification, operation
 * `replace`): then the files of `before` and these have the newest rows of `next`.
 * @returns null: that is not so, or cannot be told
 */
export async function appendedBesideRewrites(
  before: FileIndex,
  next: FileIndex,
  table: Table,
): Promise<{ readonly appended: readonly PlannedFile[]; readonly isRewritten: boolean } | null> {
  if (before.snapshot === null || next.snapshot === null) return null;
  const between = await snapshotChanges(table, before.snapshot.snapshotId, next.snapshot.snapshotId);
  if ('gap' in between) return null;
  const { snapshots } = between;
  const live = new Map(next.planned.map((planned) => [planned.file.filePath, planned]));
  const appended: PlannedFile[] = [];
  for (const { operation, added, removed, addedDeleteFiles } of snapshots) {
    if (operation === 'replace') continue;
    if (operation !== 'append' || removed.length > 0 || addedDeleteFiles) return null;
    for (const { file } of added) {
      const planned = live.get(file.filePath);
      // It was rewritten itself: its rows are in files together with those of others.
      if (planned === undefined) return null;
      appended.push(planned);
    }
  }
  return { appended, isRewritten: snapshots.some(({ operation }) => operation === 'replace') };
}
