/** Processes: the worker, the workflow bundle, finding or starting a Temporal server, starting runs. */

export type { BackfillProgress, BackfillResult } from '../activities/backfill-contract.js';
export type { CompactInput, CompactProgress, CompactResult } from '../activities/compact-contract.js';
export type {
  MaterializeResult,
  RequestedRun,
  RunProgress,
  TrainingSetInput,
  TrainingSetProgress,
  TrainingSetResult,
} from '../activities/contract.js';
export {
  backfillInput,
  checkCompactRequest,
  checkIngestRequest,
  checkMaintainRequest,
  createActivities,
  type MaterializeRequest,
  maintenanceSettings,
  type ParsedRange,
  parseBackfillRequest,
  parseBackfillSettings,
  parseMaterializeRequest,
  type RunPlace,
  refuseRunsInFlight,
  runWorkflowId,
  schedulesOfView,
  subjectOfPlan,
  workerIdentity,
} from '../activities/index.js';
export type {
  IngestBatch,
  IngestInput,
  IngestResult,
  IngestSource,
  IngestStatus,
} from '../activities/ingest-contract.js';
export type { MaintainInput, MaintainProgress, MaintainResult } from '../activities/maintain-contract.js';
export {
  type BackfillControl,
  changeBackfillConcurrency,
  controlBackfill,
  failedSegments,
  type NewBackfill,
  startBackfill,
  waitForBackfill,
} from './clients/backfill-client.js';
export {
  connectClient,
  type ServerSettings,
  type TemporalClient,
  withAddress,
  withTemporalClient,
} from './clients/connection.js';
export {
  changeIngestBatch,
  controlIngest,
  type IngestControl,
  ingestStatus,
  startIngest,
} from './clients/ingest-client.js';
export { startMaterialization, type WaitOptions, waitForRun } from './clients/materialize-client.js';
export { startCompact, startMaintain, waitForCompact, waitForMaintain } from './clients/table-run-client.js';
export { startTrainingSet, waitForTrainingSet } from './clients/training-set-client.js';
export { type CodecServer, type CodecServerOptions, serveCodec } from './payloads/codec-server.js';
export { dataConverter } from './payloads/data-converter.js';
export { type EncryptionKeys, resolveEncryptionKeys } from './payloads/encryption-keys.js';
export { type LocalRun, type LocalRunOptions, withLocalRun } from './server/local-run.js';
export {
  joinLocalServer,
  type LocalServer,
  type LocalServerOptions,
  startOrJoinLocalServer,
} from './server/local-server.js';
export {
  type FindTemporalCliOptions,
  findTemporalCli,
  lookForTemporalCli,
  type TemporalCli,
} from './server/temporal-cli.js';
export { type ProjectSettings, resolveTemporalSettings, type TemporalSettings } from './temporal-settings.js';
export {
  buildWorkflowBundle,
  bundleWorkflows,
  type WorkflowSource,
  workflowSource,
  workflowsPath,
} from './worker/bundle.js';
export { WORKER_ROLES, type WorkerRole } from './worker/create-worker.js';
export { setCurrentDeployment } from './worker/deployment.js';
export { installQuietRuntime } from './worker/native-runtime.js';
export { type RunWorkerOptions, runWorker } from './worker/run-worker.js';
export { assertTaskQueuePolled } from './worker/task-queue.js';
