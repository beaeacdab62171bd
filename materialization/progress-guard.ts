/** Commits on one progress: what a snapshot records was computed from it, so that on another it is computed anew. */
import type { Catalog } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { retryConflicts } from '../tables/index.js';
import { effectiveProgress } from './progress.js';

/** @throws COMMIT_CONFLICT, of which {@link progressMoved} tells, if the base has another progress */
export function requireProgress(base: TableMetadata, token: string, view: string): void {
  if (effectiveProgress(base).token !== token) throw progressMovedError(`run of '${view}'`);
}

/** A conflict of which {@link progressMoved} tells. @param other what else may have committed */
export function progressMovedError(other: string): MoraineError {
  const message = `Another ${other} has committed since this one was planned: plan again.`;
  return new MoraineError('COMMIT_CONFLICT', message, { details: { progressMoved: true } });
}

/** Tries a commit that is computed from the progress, and again when that has moved meanwhile. */
export async function onNewestProgress<T>(catalog: Catalog, commit: () => Promise<T>): Promise<T> {
  return await retryConflicts(catalog, commit, progressMoved);
}

/** Whether a conflict came from another progress. */
const progressMoved = (error: unknown): error is MoraineError =>
  isMoraineError(error, 'COMMIT_CONFLICT') && error.details['progressMoved'] === true;
