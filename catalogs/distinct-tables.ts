/** Commits to several tables name each table once. */
import { MoraineError } from '../errors/index.js';
import type { TableCommit } from './catalog.js';
import { formatTableName } from './table-name.js';

/** @throws MoraineError `INVALID_ARGUMENT` for a table that is named twice: nothing says which of its commits would come first */
export function requireDistinct(commits: readonly TableCommit[]): void {
  const seen = new Set<string>();
  for (const { identifier } of commits) {
    const key = JSON.stringify([identifier.namespace, identifier.name]);
    if (seen.has(key)) {
      const message = `Table ${formatTableName(identifier)} is named twice in one commit: join its updates to one.`;
      throw new MoraineError('INVALID_ARGUMENT', message);
    }
    seen.add(key);
  }
}
