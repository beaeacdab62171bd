/** The lease of a compaction: sweeps leave its snapshot and staged files alone. */

import { afterOutcome } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import { findSnapshot } from '../../iceberg/index.js';
import type { Table } from '../../tables/index.js';
import { releaseLease, takeLease } from '../../tables/index.js';
import type { CompactDeps } from './compact-deps.js';

/** Renewed by every plan of the run; given back when it ends. */
const LEASE_MS = 86_400_000n;

/** How the names of all files begin that a run, or one plan of it, stages. */
export const stagedPrefix = (id: string): string => `compact-${id}`;

/** @throws COMMIT_CONFLICT if the snapshot has expired meanwhile: plan again */
export async function leaseForCompaction(table: Table, runId: string, snapshotId: bigint): Promise<void> {
  const nowMs = BigInt(Date.now());
  const lease = {
    id: stagedPrefix(runId),
    kind: 'compact',
    snapshotIds: [snapshotId],
    filePrefixes: [stagedPrefix(runId)],
    expiresAtMs: nowMs + LEASE_MS,
  };
  const { metadata } = await takeLease(table, lease, nowMs);
  if (findSnapshot(metadata, snapshotId) !== undefined) return;
  throw new MoraineError(
    'COMMIT_CONFLICT',
    `Snapshot ${snapshotId} expired while a compaction of it was planned: plan again.`,
  );
}

/** Gives the lease of a run back. A table that has gone needs none; one that cannot be written now loses it with time. */
export function endCompaction(deps: Pick<CompactDeps, 'loadTable'>, table: string, runId: string): Promise<void> {
  return afterOutcome(async () => releaseLease(await deps.loadTable(table), stagedPrefix(runId)));
}
