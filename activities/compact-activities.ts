import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import {
  commitCompaction,
  endCompaction,
  parseCompactRequest,
  planCompaction,
  previewCompaction,
  rewriteGroup,
} from '../maintenance/index.js';
import { compactDeps, type Project } from '../project/index.js';
import type {
  CompactActivities,
  CompactInput,
  CompactRequested,
  CompactResult,
  CompactRunInput,
} from './compact-contract.js';
import type { RequestedRun } from './contract.js';
import { requestTableName, tableRunId, withoutUndefined } from './request-table.js';
import { hasSearchAttributes } from './search-attributes.js';
import type { Slots } from './slots.js';
import { outcomeIfEnded, type RunPlace } from './start-run.js';
import { asActivity } from './step.js';

/** The workflow's type, as a run of it. The code itself lives in the workflow sandbox, so only its name is used. */
type CompactRunWorkflow = (input: CompactRunInput) => Promise<CompactResult>;

/** The activities of `compact`. @param slots of the process: a rewrite uses every core by itself */
export function createCompactActivities(project: Project, slots: Slots): CompactActivities {
  return {
    requestCompact: ({ request, replyTo }) =>
      asActivity(async () => {
        const { client, info } = Context.current();
        const checked = await checkCompactRequest(project, request);
        const searchAttributes = await hasSearchAttributes(client.connection, info.namespace);
        const place = { taskQueue: info.taskQueue, project: await project.identity() };
        return startCompactRun(client, place, searchAttributes, { request: checked, replyTo });
      }),

    compactOutcome: (run) => asActivity(() => outcomeIfEnded<CompactResult>(Context.current().client, run)),

    planCompaction: ({ request, runId, again }) =>
      asActivity(async () => {
        const planned = await planCompaction(await compactDeps(project), parseCompactRequest(request), {
          runId,
          again,
        });
        const { planLocation, groups, groupsPerCommit, files, rows, bytes, skipped, reason } = planned;
        const counts = { groups, groupsPerCommit, files, rows: String(rows), bytes: String(bytes) };
        return { planLocation, ...counts, skipped, reason };
      }),

    rewriteGroup: ({ planLocation, group }) =>
      asActivity(({ signal }) =>
        slots.run(signal, async () => {
          const { rows, bytes, bytesRemoved, ...written } = await rewriteGroup(
            await compactDeps(project),
            planLocation,
            group,
            { signal },
          );
          return { ...written, rows: String(rows), bytes: String(bytes), bytesRemoved: String(bytesRemoved) };
        }),
      ),

    commitCompaction: ({ planLocation, groups }) =>
      asActivity(async () => {
        const { committed, conflicts, snapshotId } = await commitCompaction(
          await compactDeps(project),
          planLocation,
          groups,
        );
        return { committed, conflicts, snapshotId: snapshotId === null ? null : String(snapshotId) };
      }),

    endCompaction: ({ table, runId }) =>
      asActivity(async () => endCompaction(await compactDeps(project), table, runId)),
  };
}

/**
 * A request whose table can be compacted so, under the name that its runs go by.
 * @throws `INVALID_ARGUMENT`, `TABLE_NOT_FOUND`, `METADATA_CORRUPT`, `EXPRESSION_INVALID`, and as planning
 */
export async function checkCompactRequest(project: Project, request: unknown): Promise<CompactInput> {
  const parsed = parseCompactRequest(request);
  const table = requestTableName(project, await project.resolveTable(parsed.table));
  await previewCompaction(await compactDeps(project), { ...parsed, table });
  return withoutUndefined({ ...parsed, table });
}

/** Starts the one run of a table, or hands the request to the run in flight. */
export async function startCompactRun(
  client: Client,
  { taskQueue, project }: RunPlace,
  searchAttributes: boolean,
  requested: CompactRequested,
): Promise<RequestedRun> {
  const { table } = requested.request;
  const workflowId = tableRunId('compact', table, project);
  const handle = await client.workflow.signalWithStart<CompactRunWorkflow, [CompactRequested]>('compactRun', {
    workflowId,
    taskQueue,
    args: [{ table, searchAttributes }],
    signal: 'requested',
    signalArgs: [requested],
    staticSummary: `Compact ${table}`,
    memo: { table },
  });
  return { workflowId, runId: handle.signaledRunId };
}
