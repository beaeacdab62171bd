/** Runs as people look at them: which there are, and what one of them has done. */
export { type FollowOptions, followRun } from './follow-run.js';
export { listRuns, RUN_STATUSES, type RunFilter, type RunStatus, type RunSummary } from './list-runs.js';
export { ownRunId } from './own-run.js';
export type { RunCommit, RunStep, StorageTraffic } from './run-steps.js';
export { type Run, showRun } from './show-run.js';
