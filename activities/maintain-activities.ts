import { Context } from '@temporalio/activity';
import { type Client } from '@temporalio/client';
import { requireChangeable } from '../catalogs/index.js';
import {
  commitExpiry,
  deleteExpiredFiles,
  dryRunMaintenance,
  stageExpiry,
  sweepOrphans,
  tidyManifests,
} from '../maintenance/index.js';
import { maintenanceDeps, type Project } from '../project/index.js';
import type { RequestedRun } from './contract.js';
import type {
  MaintainActivities,
  MaintainRequest,
  MaintainRequested,
  MaintainResult,
  MaintainRunInput,
} from './maintain-contract.js';
import { maintenanceSettings, parseMaintainRequest, parseMaintainTablesRequest } from './maintain-request.js';
import { planPolicy } from './plan-policy.js';
import { requestTableName, tableRunId } from './request-table.js';
import { hasSearchAttributes } from './search-attributes.js';
import { outcomeIfEnded, type RunPlace } from './start-run.js';
import { asActivity } from './step.js';

/** The workflow's type, as a run of it. The code itself lives in the workflow sandbox, so only its name is used. */
type MaintainRunWorkflow = (input: MaintainRunInput) => Promise<MaintainResult>;

/** Names of unreadable manifests that a result carries at most. */
const MAX_NAMES = 20;

/** The activities of `maintain`. */
export function createMaintainActivities(project: Project): MaintainActivities {
  const deps = maintenanceDeps(project);
  return {
    requestMaintain: ({ request, replyTo }) =>
      asActivity(async () => {
        const { client, info } = Context.current();
        const checked = await checkMaintainRequest(project, request);
        const searchAttributes = await hasSearchAttributes(client.connection, info.namespace);
        const place = { taskQueue: info.taskQueue, project: await project.identity() };
        return startMaintainRun(client, place, searchAttributes, { request: checked, replyTo });
      }),

    maintainOutcome: (run) => asActivity(() => outcomeIfEnded<MaintainResult>(Context.current().client, run)),

    planMaintain: (request) => asActivity(async ({ signal }) => countMaintain(project, request, signal)),

    planPolicy: ({ request, after, left }) =>
      asActivity(async ({ signal }) => {
        parseMaintainTablesRequest(request);
        return planPolicy(project, { after, left }, signal);
      }),

    planExpiry: (request) => asActivity(() => stageExpiry(deps, request.table, settingsOf(request).expiry)),

    commitExpiry: ({ table, planLocation }) => asActivity(() => commitExpiry(deps, table, planLocation)),

    deleteExpiredFiles: ({ table, planLocation }) =>
      asActivity(async ({ signal }) => {
        const { deletedFiles, unreadable } = await deleteExpiredFiles(deps, table, planLocation, signal);
        return { deletedFiles, unreadable: unreadable.slice(0, MAX_NAMES) };
      }),

    sweepOrphans: ({ request, after }) =>
      asActivity(async ({ signal }) => {
        const { orphans } = settingsOf(request);
        const place = after === undefined ? {} : { after };
        const swept = await sweepOrphans(deps, request.table, { ...orphans, ...place }, signal);
        return { ...swept, deletedBytes: String(swept.deletedBytes) };
      }),

    tidyManifests: ({ table }) =>
      asActivity(async () => {
        const { droppedDeletes, manifestsBefore, manifestsAfter } = await tidyManifests(deps, table);
        return { droppedDeletes, manifestsBefore, manifestsAfter };
      }),
  };
}

/** Checked here, too: a run takes requests from the web UI as well as from those who have checked theirs. */
const settingsOf = (request: MaintainRequest) => maintenanceSettings(parseMaintainRequest(request));

/**
 * A request whose table exists and can be read, under the name that its runs go by.
 * @throws `INVALID_ARGUMENT`, `TABLE_NOT_FOUND`, `METADATA_CORRUPT`
 */
export async function checkMaintainRequest(project: Project, request: unknown): Promise<MaintainRequest> {
  const parsed = parseMaintainRequest(request);
  const resolved = await project.resolveTable(parsed.table);
  requireChangeable(resolved.catalog);
  const table = requestTableName(project, resolved);
  await project.loadTable(table);
  return { ...parsed, table };
}

/** Starts the one run of a table, or hands the request to the run in flight. */
export function startMaintainRun(
  client: Client,
  { taskQueue, project }: RunPlace,
  searchAttributes: boolean,
  requested: MaintainRequested,
): Promise<RequestedRun> {
  const { table } = requested.request;
  const workflowId = tableRunId('maintain', table, project);
  return client.workflow
    .signalWithStart<MaintainRunWorkflow, [MaintainRequested]>('maintainRun', {
      workflowId,
      taskQueue,
      args: [{ table, searchAttributes }],
      signal: 'requested',
      signalArgs: [requested],
      staticSummary: `Maintain ${table}`,
      memo: { table },
    })
    .then((handle) => ({ workflowId, runId: handle.signaledRunId }));
}

async function countMaintain(project: Project, request: MaintainRequest, signal: AbortSignal) {
  const { expiry, metadataFiles, files, fileOwner } = await dryRunMaintenance(
    maintenanceDeps(project),
    request.table,
    settingsOf(request),
  );
  let [expiredFiles, orphanFiles, orphanBytes] = [0, 0, 0n];
  for await (const { action, reason, sizeBytes } of files) {
    signal.throwIfAborted();
    if (action === 'keep') continue;
    if (reason.startsWith('only expired')) expiredFiles += 1;
    else {
      orphanFiles += 1;
      orphanBytes += BigInt(sizeBytes);
    }
  }
  return {
    expiredSnapshots: expiry.snapshotIds.length,
    expiredRefs: expiry.refs,
    expiredFiles,
    orphanFiles,
    orphanBytes: String(orphanBytes),
    unreadable: [],
    metadataFiles,
    droppedDeletes: 0,
    manifestsBefore: 0,
    manifestsAfter: 0,
    ...(fileOwner === undefined ? {} : { fileOwner }),
  };
}
