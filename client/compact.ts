import {
  type CompactionPreview,
  type CompactionResult,
  compactDirect,
  parseCompactRequest,
  previewCompaction,
} from '../maintenance/index.js';
import { compactDeps, type Project } from '../project/index.js';
import type { CompactInput, CompactProgress, CompactResult } from '../workers/index.js';
import {
  type ConnectedServer,
  onTemporal,
  type RunOptions,
  type StartedRun,
  startRunOf,
  workers,
} from './temporal-run.js';

export type CompactOptions = RunOptions<CompactProgress>;

/**
 * Compacts a table: rewrites small files, and those of which many rows are deleted, as fewer ones with the same rows. It runs on the
 * configured Temporal server and its workers; with none configured, on an own server and worker that end with it.
 *
 * @throws `INVALID_ARGUMENT`, `TABLE_NOT_FOUND`, `METADATA_CORRUPT` and so on before anything is started; `TASK_QUEUE_UNPOLLED` within 5 s if no
 * worker is there; `TEMPORAL_UNAVAILABLE`; the run's own error code if it failed
 */
export async function compact(
  project: Project,
  input: CompactInput,
  options: CompactOptions = {},
): Promise<CompactResult> {
  const { checkCompactRequest, ...runs } = await workers();
  const request = await checkCompactRequest(project, input);
  const wait = async (server: ConnectedServer): Promise<CompactResult> => {
    const asked = await runs.startCompact(server, server.settings, request);
    return runs.waitForCompact(server.client, asked, request.table, { ...options, cancels: server.cancels });
  };
  return onTemporal(project, wait, options);
}

/**
 * Asks for a compaction and does not wait for it. This needs a configured Temporal server, or `moraine dev`.
 *
 * @throws `TEMPORAL_UNAVAILABLE` without one; otherwise as {@link compact}
 */
export async function startCompact(project: Project, input: CompactInput): Promise<StartedRun> {
  const { checkCompactRequest, ...runs } = await workers();
  const request = await checkCompactRequest(project, input);
  return startRunOf(project, 'a compaction', (server) => runs.startCompact(server, server.settings, request));
}

/** The files that a compaction would rewrite, in groups. */
export type CompactPlan = Omit<CompactionPreview, 'plan'>;

/** The plan of a compaction. Nothing is started and nothing is written. @throws as {@link compact} */
export async function planCompact(project: Project, input: CompactInput): Promise<CompactPlan> {
  const preview = await previewCompaction(await compactDeps(project), parseCompactRequest(input));
  const { table, groups, files, rows, bytes, skipped, reason } = preview;
  return { table, groups, files, rows, bytes, skipped, reason };
}

/** Compacts a table in this process, without Temporal: what it has committed when it is interrupted stays. @throws as {@link compact} */
export async function compactHere(
  project: Project,
  input: CompactInput,
  options: Pick<CompactOptions, 'signal'> = {},
): Promise<CompactionResult> {
  return compactDirect(await compactDeps(project), parseCompactRequest(input), options);
}
