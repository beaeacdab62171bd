import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { endMaterialization, whileLeased } from '../maintenance/index.js';
import {
  commitMaterialization,
  discardReducedRows,
  extractShard,
  planMaterialization,
  reducePart,
} from '../materialization/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { createBackfillActivities } from './backfill-activities.js';
import type { BackfillActivities } from './backfill-contract.js';
import { createCompactActivities } from './compact-activities.js';
import type { CompactActivities } from './compact-contract.js';
import type { Activities } from './contract.js';
import { createIngestActivities } from './ingest-activities.js';
import type { IngestActivities } from './ingest-contract.js';
import { createMaintainActivities } from './maintain-activities.js';
import type { MaintainActivities } from './maintain-contract.js';
import { parseMaterializeRequest } from './materialize-request.js';
import { ofOwnProject } from './own-project.js';
import { withReachedTables } from './reached-tables.js';
import { RunningPieces } from './running-pieces.js';
import { hasSearchAttributes } from './search-attributes.js';
import { Slots } from './slots.js';
import { outcomeIfEnded, startRun } from './start-run.js';
import { asActivity } from './step.js';
import { withStorageTraffic } from './storage-traffic.js';
import { createTrainingActivities } from './training-activities.js';

/** The activities of all workflows. */
export type AllActivities = Activities & BackfillActivities & CompactActivities & MaintainActivities & IngestActivities;

/**
 * The activities of a project, to be mounted in a worker. Each decodes its input, calls the library, and encodes the
 * answer; the decisions are in the library. All of them refuse what is of another project (`PROJECT_MISMATCH`).
 */
export function createActivities(project: Project): AllActivities {
  return ofOwnProject(project, withStorageTraffic(withReachedTables(project, allActivities(project))));
}

function allActivities(project: Project): AllActivities {
  const onlineNamespace = project.config.online.namespace;
  // Extraction uses every core by itself, so that more only compete for memory, whichever task queue they come from.
  const extractions = new Slots(project.config.worker.heavyActivities);
  const running = new RunningPieces();
  return {
    requestRun: ({ request, scheduledTime, replyTo }) =>
      asActivity(async () => {
        const { client, info } = Context.current();
        const parsed = parseMaterializeRequest(request, scheduledTime);
        const searchAttributes = await hasSearchAttributes(client.connection, info.namespace);
        const { taskQueue } = info;
        return startRun(client, parsed, { taskQueue, project: await project.identity(), searchAttributes, replyTo });
      }),

    runOutcome: (run) => asActivity(() => outcomeIfEnded(Context.current().client, run)),

    planMaterialization: ({ view, startUs, endUs, shards, engine }) =>
      asActivity(async ({ signal }) => {
        const deps = await materializationDeps(project);
        const plan = await planMaterialization(
          deps,
          {
            view,
            attemptId: randomUUID(),
            ...(startUs === undefined ? {} : { startUs: BigInt(startUs) }),
            ...(endUs === undefined ? {} : { endUs: BigInt(endUs) }),
            ...(shards === undefined ? {} : { shards }),
            ...(engine === undefined ? {} : { engine }),
            spread: project.config.worker.shards,
          },
          { signal },
        );
        return {
          kind: plan.kind,
          reason: plan.reason,
          planLocation: plan.planLocation,
          sourceTable: plan.sourceTable,
          sourceSnapshotId: plan.sourceSnapshotId === null ? null : String(plan.sourceSnapshotId),
          onlineTable: `${onlineNamespace}.${plan.view}`,
          shards: plan.shards,
          ...(plan.reduction === null ? {} : { parts: plan.reduction.parts }),
          ...(plan.partsAlike ? { partsAlike: true } : {}),
          sourceFiles: plan.files,
          sourceRows: String(plan.rows),
        };
      }),

    reducePart: ({ planLocation, part, again }) =>
      asActivity(async (step) => {
        const deps = await materializationDeps(project);
        const reduced = await running.run(`part ${part} of ${planLocation}`, again, () =>
          extractions.run(step.signal, () =>
            whileLeased(deps, planLocation, () => reducePart(deps, planLocation, part, step)),
          ),
        );
        return { ...reduced, rows: String(reduced.rows), bytes: String(reduced.bytes) };
      }),

    discardReduced: ({ planLocation, reduced }) =>
      asActivity(() => discardReducedRows(project.io, planLocation, reduced)),

    extractShard: ({ planLocation, shard, reduced, again }) =>
      asActivity(async ({ signal }) => {
        const deps = await materializationDeps(project);
        const extracted = await running.run(`shard ${shard} of ${planLocation}`, again, () =>
          extractions.run(signal, () =>
            whileLeased(deps, planLocation, () => extractShard(deps, planLocation, shard, { signal, reduced })),
          ),
        );
        return {
          manifestLocation: extracted.manifestLocation,
          rows: String(extracted.rows),
          files: extracted.files,
          bytes: String(extracted.bytes),
        };
      }),

    commitMaterialization: ({ planLocation, manifestLocations }) =>
      asActivity(async () => {
        const deps = await materializationDeps(project);
        const { snapshotId, outcome } = await commitMaterialization(deps, planLocation, manifestLocations);
        await endMaterialization(deps, planLocation);
        return { snapshotId: snapshotId === null ? null : String(snapshotId), outcome };
      }),

    ...createCompactActivities(project, extractions),
    ...createMaintainActivities(project),
    ...createTrainingActivities(project),
    ...createBackfillActivities(project),
    ...createIngestActivities(project),
  };
}
