/** Committing a staged batch, with the deletes that an upsert needs. */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../../engine/index.js';
import type { Table } from '../../tables/index.js';
import { deleteStaged } from '../batches/stage-listed.js';
import type { StagedBatch } from '../batches/staged-batch.js';
import type { Coordinator } from '../protocol/coordinator.js';
import type { BreakTies } from './break-ties.js';
import { type UpsertDeletes, upsertDeletes } from './upsert-deletes.js';
import type { UpsertOptions } from './upsert-options.js';

export interface CommitStagedOptions {
  /** As of {@link Coordinator.commit}. */
  readonly beforeSending?: () => Promise<void>;
  /** Whether somebody else has the batch, too, in a checkpoint. */
  readonly isShared?: boolean;
  /** Rows of the batch may be older than rows of the table with the same order. */
  readonly breakTies?: BreakTies;
}

/**
 * Commits a batch once. Staged files in whose place others were committed are deleted, unless the batch is shared.
 * @param staged of an upsert: what was staged at once, so that its files have one row for each key
 * @returns how many of its rows an upsert has left out
 * @throws as {@link Coordinator.commit}, {@link upsertDeletes}
 */
export async function commitStaged(
  engine: Engine,
  coordinator: Coordinator,
  staged: StagedBatch,
  upsert: UpsertOptions | undefined,
  { beforeSending, isShared = false, breakTies }: CommitStagedOptions = {},
): Promise<{ readonly snapshotId: bigint; readonly lost: bigint }> {
  const [manifest] = staged.manifests;
  if (upsert === undefined || manifest === undefined)
    return { snapshotId: await coordinator.commit(staged, beforeSending), lost: 0n };
  let last = null as UpsertDeletes | null;
  const deletesOn = async (base: Table) => {
    // Each attempt has names of its own: the files of one whose outcome was unknown are still there.
    const attemptId = `${staged.id}-${randomUUID()}`;
    last = await upsertDeletes(engine, base, manifest, { ...upsert, breakTies }, attemptId);
    return last;
  };
  const snapshotId = await coordinator.commit({ ...staged, deletesOn }, beforeSending);
  if (!isShared) await deleteStaged(coordinator.table, last?.unlisted ?? []);
  return { snapshotId, lost: last?.lost ?? 0n };
}
