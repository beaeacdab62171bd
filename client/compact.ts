import { MoraineError } from '../errors/index.js';
import {
  type CompactionPreview,
  type CompactionResult,
  compactDirect,
  parseCompactRequest,
  previewCompaction,
} from '../maintenance/index.js';
import { compactDeps, type Project } from '../project/index.js';
import type { CompactInput, CompactProgress, CompactResult, RequestedRun, TemporalClient } from '../workers/index.js';

/** Temporal is large and slow to load: only what starts runs waits for it. */
const workers = () => import('../workers/index.js');

export interface CompactOptions {
  /** Stops the waiting. A run on a configured server goes on. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CompactProgress) => void;
  /** Told what takes long and is not the run itself, such as fetching a server. */
  readonly announce?: (message: string) => void;
}

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
  const { checkCompactRequest, connectClient, resolveTemporalSettings, withAddress, withLocalRun, ...runs } =
    await workers();
  const request = await checkCompactRequest(project, input);
  const settings = resolveTemporalSettings(project.config.temporal);
  const wait = async (temporal: TemporalClient): Promise<CompactResult> => {
    const asked = await runs.startCompact(temporal, settings, request);
    return runs.waitForCompact(temporal.client, asked, request.table, options);
  };
  if (settings.address === undefined) return withLocalRun(project, wait, options);
  const temporal = await connectClient(withAddress(settings, settings.address));
  try {
    return await wait(temporal);
  } finally {
    await temporal.close();
  }
}

/**
 * Asks for a compaction and does not wait for it. This needs a configured Temporal server.
 *
 * @throws `TEMPORAL_UNAVAILABLE` without one; otherwise as {@link compact}
 */
export async function startCompact(project: Project, input: CompactInput): Promise<RequestedRun> {
  const { checkCompactRequest, connectClient, resolveTemporalSettings, withAddress, ...runs } = await workers();
  const request = await checkCompactRequest(project, input);
  const settings = resolveTemporalSettings(project.config.temporal);
  if (settings.address === undefined) {
    throw new MoraineError('TEMPORAL_UNAVAILABLE', 'no Temporal server is configured that a compaction could go on in');
  }
  const temporal = await connectClient(withAddress(settings, settings.address));
  try {
    return await runs.startCompact(temporal, settings, request);
  } finally {
    await temporal.close();
  }
}

/** What a compaction would rewrite. Nothing is started and nothing is written. @throws as {@link compact} */
export async function compactDryRun(project: Project, input: CompactInput): Promise<CompactionPreview> {
  return previewCompaction(await compactDeps(project), parseCompactRequest(input));
}

/** Compacts a table in this process, without Temporal: what it has committed when it is interrupted stays. @throws as {@link compact} */
export async function compactHere(
  project: Project,
  input: CompactInput,
  options: Pick<CompactOptions, 'signal'> = {},
): Promise<CompactionResult> {
  return compactDirect(await compactDeps(project), parseCompactRequest(input), options);
}
