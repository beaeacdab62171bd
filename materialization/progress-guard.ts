/** Commits on one progress: what a snapshot records was computed from it, so that on another it is computed anew. */
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { effectiveProgress } from './progress.js';

/** @throws COMMIT_CONFLICT, of which {@link progressMoved} tells, if the base has another progress */
export function requireProgress(base: TableMetadata, token: string, view: string): void {
  if (effectiveProgress(base).token === token) return;
  const message = `Another run of '${view}' has committed since this one was planned: plan again.`;
  throw new MoraineError('COMMIT_CONFLICT', message, { details: { progressMoved: true } });
}

/** Whether a conflict came from {@link requireProgress}. */
export const progressMoved = (error: unknown): boolean =>
  isMoraineError(error, 'COMMIT_CONFLICT') && error.details['progressMoved'] === true;
