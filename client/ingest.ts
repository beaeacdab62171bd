/** Ingests: sinks that follow their source for as long as nobody ends them, on the workers of a Temporal server. */
import type { Project } from '../project/index.js';
import type { IngestBatch, IngestControl, IngestInput, IngestStatus } from '../workers/index.js';
import { onProjectRun } from './project-runs.js';
import { type ServerOptions, type StartedRun, startRunOf, workers } from './temporal-run.js';

/**
 * Starts an ingest and does not wait for it. This needs a configured Temporal server, or `moraine dev`, whose workers may read the source: the files
 * (`worker.ingestFolders`), or topics of the Kafka cluster (`worker.ingestKafka`).
 *
 * @throws `INVALID_ARGUMENT`, `TABLE_NOT_FOUND`, `COLUMN_NOT_FOUND`, `TYPE_MISMATCH` before anything is started; `RUN_ALREADY_ACTIVE`, `TEMPORAL_UNAVAILABLE`;
 *   `TASK_QUEUE_UNPOLLED` within 5 s if no worker is there
 */
export async function startProjectIngest(project: Project, input: IngestInput): Promise<StartedRun> {
  const { checkIngestRequest, startIngest } = await workers();
  const request = await checkIngestRequest(project, input);
  return await startRunOf(project, 'an ingest', (server) => startIngest(server, server.settings, request));
}

/** @throws `WORKFLOW_NOT_FOUND` if this project has no such ingest in flight; `PROJECT_MISMATCH` */
export async function controlProjectIngest(
  project: Project,
  id: string,
  control: IngestControl,
  options: ServerOptions = {},
): Promise<void> {
  const { controlIngest } = await workers();
  await onProjectRun(project, id, ({ client }, own) => controlIngest(client, own, control), {
    ...options,
    leavesWork: control !== 'pause',
  });
}

/** @throws `INVALID_ARGUMENT` for a setting that it does not take; otherwise as {@link controlProjectIngest} */
export async function changeProjectIngestBatch(
  project: Project,
  id: string,
  batch: IngestBatch,
  options: ServerOptions = {},
): Promise<Required<IngestBatch>> {
  const { changeIngestBatch } = await workers();
  return await onProjectRun(project, id, ({ client }, own) => changeIngestBatch(client, own, batch), options);
}

/** @throws as {@link controlProjectIngest} */
export async function projectIngestStatus(
  project: Project,
  id: string,
  options: ServerOptions = {},
): Promise<IngestStatus> {
  const { ingestStatus } = await workers();
  return await onProjectRun(project, id, ({ client }, own) => ingestStatus(client, own), options);
}
