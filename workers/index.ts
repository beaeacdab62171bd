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
  checkMaintainRequest,
  createActivities,
  type MaterializeRequest,
  maintenanceSettings,
  type ParsedRange,
  parseBackfillRequest,
  parseBackfillSettings,
  parseMaterializeRequest,
  type RunPlace,
  runWorkflowId,
  schedulesOfView,
  subjectOfPlan,
  workerIdentity,
} from '../activities/index.js';
export type { MaintainInput, MaintainProgress, MaintainResult } from '../activities/maintain-contract.js';
export {
  type BackfillControl,
  changeBackfillConcurrency,
  controlBackfill,
  failedSegments,
  type NewBackfill,
  startBackfill,
  waitForBackfill,
} from './backfill-client.js';
export { buildWorkflowBundle, bundleWorkflows, type WorkflowSource, workflowSource, workflowsPath } from './bundle.js';
export { type CodecServer, type CodecServerOptions, serveCodec } from './codec-server.js';
export {
  connectClient,
  type ServerSettings,
  type TemporalClient,
  withAddress,
  withTemporalClient,
} from './connection.js';
export { WORKER_ROLES, type WorkerRole } from './create-worker.js';
export { dataConverter } from './data-converter.js';
export { setCurrentDeployment } from './deployment.js';
export { type EncryptionKeys, resolveEncryptionKeys } from './encryption-keys.js';
export { type LocalRun, type LocalRunOptions, withLocalRun } from './local-run.js';
export { joinLocalServer, type LocalServer, type LocalServerOptions, startOrJoinLocalServer } from './local-server.js';
export { startMaterialization, type WaitOptions, waitForRun } from './materialize-client.js';
export { installQuietRuntime } from './native-runtime.js';
export { type RunWorkerOptions, runWorker } from './run-worker.js';
export { startCompact, startMaintain, waitForCompact, waitForMaintain } from './table-run-client.js';
export { assertTaskQueuePolled } from './task-queue.js';
export { type FindTemporalCliOptions, findTemporalCli, lookForTemporalCli, type TemporalCli } from './temporal-cli.js';
export { type ProjectSettings, resolveTemporalSettings, type TemporalSettings } from './temporal-settings.js';
export { startTrainingSet, waitForTrainingSet } from './training-set-client.js';
