/** The steps that workflows call: thin, over the library rooms. */

export { nameOfId, projectName, projectOfId } from '../features/index.js';
export {
  MAX_CONCURRENCY,
  type ParsedRange,
  parseBackfillRequest,
  parseBackfillSettings,
} from './backfill-request.js';
export { checkCompactRequest } from './compact-activities.js';
export { type AllActivities, createActivities } from './create-activities.js';
export { checkIngestRequest, type IngestRequest, ingestWorkflowId } from './ingest-request.js';
export { checkMaintainRequest } from './maintain-activities.js';
export { maintenanceSettings } from './maintain-request.js';
export { type MaterializeRequest, parseMaterializeRequest, runWorkflowId } from './materialize-request.js';
export { tableRunId } from './request-table.js';
export { ensureSearchAttributes, hasSearchAttributes, SEARCH_ATTRIBUTES } from './search-attributes.js';
export { isServerAway } from './server-away.js';
export {
  type BackfillRunWorkflow,
  backfillInput,
  changeBackfillConcurrency,
  startBackfillRun,
  subjectOfPlan,
} from './start-backfill.js';
export {
  outcomeOf,
  type RunPlace,
  refuseRunsInFlight,
  resultForAsker,
  type StartRunOptions,
  startRun,
} from './start-run.js';
export type { HeartbeatDetails } from './step.js';
export {
  isUnmarked,
  otherProjects,
  type PolledQueue,
  type Poller,
  projectsOf,
  workerIdentity,
} from './task-queue-pollers.js';
export { schedulesOfView } from './view-schedules.js';
