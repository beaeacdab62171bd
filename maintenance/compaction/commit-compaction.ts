/** The commit of rewritten groups: together if possible; if not, each for itself, so that one in conflict holds up no other. */
import { createHash } from 'node:crypto';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { TableMetadata } from '../../iceberg/index.js';
import { NEWEST_ROWS_AS_OF } from '../../online/index.js';
import { commitRewrite, findRun, isOutrun, readStagedManifest, type Table } from '../../tables/index.js';
import { carryDeletes, type StagedGroup } from './carry-deletes.js';
import type { CompactDeps } from './compact-deps.js';
import { compactFaultPoint } from './compact-fault-points.js';
import { readCompactionPlan, type StoredPlan } from './read-compaction-plan.js';
import { refuseUncoveringDeletes } from './uncovering-deletes.js';

/** The outcome of some rewritten groups, by their places in the plan. */
export interface CommittedGroups {
  readonly committed: readonly number[];
  /** Groups that another writer was faster with: plan them again. */
  readonly conflicts: readonly number[];
  /** Reason of the last conflict; null: there was none. */
  readonly reason: string | null;
  /** Snapshot of the last commit; null: nothing was committed. */
  readonly snapshotId: bigint | null;
}

/** Snapshot summary property: the groups of the plan that the snapshot holds, such as `0,1,4`. */
const GROUPS = 'moraine.compaction-groups';

/**
 * Commits staged groups. Looks for their own keys first, so that it may be repeated after any failure.
 * @throws TABLE_REPLACED, COMMIT_STATE_UNKNOWN, and what reading deletes may throw; a conflict is part of the result
 */
export async function commitCompaction(
  deps: Pick<CompactDeps, 'engine' | 'io' | 'loadTable'>,
  planLocation: string,
  staged: readonly StagedGroup[],
): Promise<CommittedGroups> {
  const plan = await readCompactionPlan(deps.io, planLocation);
  let result: CommittedGroups = { committed: [], conflicts: [], reason: null, snapshotId: null };
  for (const alike of bySequenceNumber(plan, staged)) {
    const together = await commitOrConflict(deps, plan, alike);
    // A commit for each group would lose more races, not fewer.
    if (together.conflicts.length === 0 || alike.length === 1 || together.isOutrun) {
      result = added(result, together);
      continue;
    }
    for (const one of alike) result = added(result, await commitOrConflict(deps, plan, [one]));
  }
  return result;
}

/** The new files of a commit have one sequence number. */
function bySequenceNumber(plan: StoredPlan, staged: readonly StagedGroup[]): Iterable<readonly StagedGroup[]> {
  const alike = new Map<string, StagedGroup[]>();
  for (const one of staged) {
    const number = String(plan.group(one.group).sequenceNumber ?? '');
    alike.set(number, [...(alike.get(number) ?? []), one]);
  }
  return alike.values();
}

function added(result: CommittedGroups, more: CommittedGroups): CommittedGroups {
  return {
    committed: [...result.committed, ...more.committed],
    conflicts: [...result.conflicts, ...more.conflicts],
    reason: more.reason ?? result.reason,
    snapshotId: more.snapshotId ?? result.snapshotId,
  };
}

async function commitOrConflict(
  deps: Pick<CompactDeps, 'engine' | 'io' | 'loadTable'>,
  plan: StoredPlan,
  staged: readonly StagedGroup[],
): Promise<CommittedGroups & { readonly isOutrun: boolean }> {
  const groups = staged.map(({ group }) => group);
  try {
    const snapshotId = await commitTogether(deps, plan, staged);
    return { committed: groups, conflicts: [], reason: null, snapshotId, isOutrun: false };
  } catch (error) {
    if (!isMoraineError(error, 'COMMIT_CONFLICT')) throw error;
    return { committed: [], conflicts: groups, reason: error.message, snapshotId: null, isOutrun: isOutrun(error) };
  }
}

async function commitTogether(
  deps: Pick<CompactDeps, 'engine' | 'io' | 'loadTable'>,
  plan: StoredPlan,
  staged: readonly StagedGroup[],
): Promise<bigint> {
  const { head } = plan;
  const table = await loadPlannedTable(deps, plan);
  const groups = staged.map(({ group }) => group);
  const run = { key: groupsKey(head.planId, groups) };
  const known = findRun(table.metadata, run);
  if (known !== null) return known;
  compactFaultPoint('compact-before-commit');
  const locations = staged.flatMap(({ manifestLocation }) => manifestLocation ?? []);
  const { snapshotId } = await commitRewrite(table, {
    run,
    plannedOn: head.snapshotId,
    sequenceNumber: groups[0] === undefined ? undefined : plan.group(groups[0]).sequenceNumber,
    removeFiles: groups.flatMap((group) => plan.group(group).files.map(({ path }) => path)),
    manifests: await Promise.all(locations.map((location) => readStagedManifest(table, location))),
    rebaseDeletes: (base, arrived) => carryDeletes(deps.engine, plan, staged, base, arrived),
    summary: new Map([
      ['moraine.compaction', head.strategy],
      [GROUPS, groups.join(',')],
      ...(head.online === null || head.expiredBeforeUs !== null ? [] : [[NEWEST_ROWS_AS_OF, `${head.nowUs}`] as const]),
    ]),
    validate: async (base) => {
      refuseOtherColumns(plan, base);
      await refuseUncoveringDeletes(plan, groups, { ...table, metadata: base });
    },
  });
  compactFaultPoint('compact-after-swap');
  return snapshotId;
}

/** A run that gives an online table other columns has rows to write before they count: see `hasOtherColumns`. @throws COMMIT_CONFLICT plan again */
function refuseOtherColumns({ head, table }: StoredPlan, base: TableMetadata): void {
  if (head.online === null || base.currentSchemaId === table.metadata.currentSchemaId) return;
  throw new MoraineError('COMMIT_CONFLICT', `The table ${head.table} got other columns during the compaction.`);
}

async function loadPlannedTable({ loadTable }: Pick<CompactDeps, 'loadTable'>, { head }: StoredPlan): Promise<Table> {
  const table = await loadTable(head.table);
  if (table.metadata.tableUuid === head.tableUuid) return table;
  throw new MoraineError(
    'TABLE_REPLACED',
    `The table ${head.table} was dropped and created again since its compaction was planned. Run it again.`,
  );
}

/** Tells commits apart: the same groups of the same plan are the same work. SHA-256 in lower-case hex. */
function groupsKey(planId: string, groups: readonly number[]): string {
  return createHash('sha256')
    .update(JSON.stringify([planId, groups]))
    .digest('hex');
}
