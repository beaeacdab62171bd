import { basename } from 'node:path';
import type { BackfillPlan } from '../backfill/index.js';
import type { Project } from '../project/index.js';
import { loadTable, type Table, takeLease } from '../tables/index.js';

/** Longer than any part of a backfill that is read at once; no lease may be longer. */
const LEASE_MS = 7n * 86_400_000n;

/**
 * Keeps maintenance from a backfill's plan, of which more is read later, and from the snapshots that it has pinned. It is taken anew with
 * every part, and ends by itself.
 */
export async function leaseBackfillPlan(project: Project, plan: BackfillPlan, planLocation: string): Promise<void> {
  if (plan.view !== undefined) {
    const namespace = project.config.online.namespace.split('.');
    const online = { namespace, name: plan.view };
    return leasePlanIn(async () => loadTable(await project.catalog(), project.io, online), planLocation);
  }
  const { request, draft } = plan.trainingSet;
  await leasePlanIn(() => project.loadTable(request.to), planLocation);
  for (const [name, { snapshotId }] of [...draft.sources, ...draft.entitySources]) {
    if (snapshotId !== null) await leasePlanIn(() => project.loadTable(name), planLocation, [snapshotId]);
  }
}

/**
 * A lease of the plan in one table. One that cannot be had stops nobody: plans are safe for the age that orphans must have.
 * @param snapshotIds of the table, that the plan reads
 */
export async function leasePlanIn(
  load: () => Promise<Table>,
  planLocation: string,
  snapshotIds: readonly bigint[] = [],
  nowMs: bigint = BigInt(Date.now()),
): Promise<void> {
  const id = basename(planLocation, '.json');
  try {
    const lease = { id, kind: 'backfill', snapshotIds, filePrefixes: [id], expiresAtMs: nowMs + LEASE_MS };
    await takeLease(await load(), lease, nowMs);
  } catch {
    // The next part tries again.
  }
}
