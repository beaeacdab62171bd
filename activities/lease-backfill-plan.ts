import { basename } from 'node:path';
import { takeLease } from '../maintenance/index.js';
import type { MaterializationDeps } from '../materialization/index.js';
import { loadTable } from '../tables/index.js';

/** Longer than any part of a backfill that is read at once; no lease may be longer. */
const LEASE_MS = 7n * 86_400_000n;

/**
 * Keeps the orphan sweep from a backfill's plan, of which more is read later. It is taken anew with every part, and ends by itself.
 * One that cannot be had stops nobody: plans are safe for the age that orphans must have.
 */
export async function leaseBackfillPlan(
  deps: Pick<MaterializationDeps, 'catalog' | 'io' | 'settings'>,
  view: string,
  planLocation: string,
  nowMs: bigint = BigInt(Date.now()),
): Promise<void> {
  const id = basename(planLocation, '.json');
  const identifier = { namespace: deps.settings?.namespace ?? ['moraine_online'], name: view };
  try {
    const online = await loadTable(deps.catalog, deps.io, identifier);
    const lease = { id, kind: 'backfill', snapshotIds: [], filePrefixes: [id], expiresAtMs: nowMs + LEASE_MS };
    await takeLease(online, lease, nowMs);
  } catch {
    // The next part tries again.
  }
}
