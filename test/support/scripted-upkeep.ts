/** Activities of compaction and maintenance for tests of the workflows alone: each answers what the test says. */
import { Context } from '@temporalio/activity';
import { startCompactRun } from '../../activities/compact-activities.js';
import type {
  CommittedCompaction,
  CompactActivities,
  CompactInput,
  PlannedCompaction,
  RewrittenFiles,
} from '../../activities/compact-contract.js';
import { startMaintainRun } from '../../activities/maintain-activities.js';
import type {
  MaintainActivities,
  MaintainRequest,
  PlannedExpiry,
  PolicyPlan,
} from '../../activities/maintain-contract.js';
import { outcomeIfEnded } from '../../activities/start-run.js';

export interface CompactSteps {
  readonly plan?: () => Promise<PlannedCompaction>;
  readonly rewrite?: (group: number) => Promise<RewrittenFiles>;
  readonly commit?: (groups: readonly number[]) => Promise<CommittedCompaction>;
}

export interface MaintainSteps {
  readonly policy?: () => Promise<PolicyPlan>;
  readonly expiry?: () => Promise<PlannedExpiry>;
  /** @param after where the part begins */
  readonly sweep?: (after: string | undefined) => ReturnType<MaintainActivities['sweepOrphans']>;
}

/** Asking for runs is the real thing, but for the check of the request. */
export function scriptedCompact(steps: CompactSteps = {}): CompactActivities {
  return {
    requestCompact: ({ request, replyTo }) => {
      const { client, info } = Context.current();
      return startCompactRun(client, { taskQueue: info.taskQueue, project: null }, true, {
        request: request as CompactInput,
        replyTo,
      });
    },
    compactOutcome: (run) => outcomeIfEnded(Context.current().client, run),
    planCompaction: () => steps.plan?.() ?? Promise.resolve(plannedCompaction(1)),
    rewriteGroup: ({ group }) => steps.rewrite?.(group) ?? Promise.resolve(rewrittenGroup(group)),
    commitCompaction: ({ groups }) => {
      const numbers = groups.map(({ group }) => group);
      return steps.commit?.(numbers) ?? Promise.resolve({ committed: numbers, conflicts: [], snapshotId: '41' });
    },
    endCompaction: () => Promise.resolve(),
  };
}

/** Asking for runs is the real thing, but for the check of the request. */
export function scriptedMaintain(steps: MaintainSteps = {}): MaintainActivities {
  const swept = { deletedFiles: 1, deletedBytes: '100', next: null };
  return {
    planPolicy: () => steps.policy?.() ?? Promise.resolve({ budgets: [], runs: [], failed: [] }),
    requestMaintain: ({ request, replyTo }) => {
      const { client, info } = Context.current();
      return startMaintainRun(client, { taskQueue: info.taskQueue, project: null }, true, {
        request: request as MaintainRequest,
        replyTo,
      });
    },
    maintainOutcome: (run) => outcomeIfEnded(Context.current().client, run),
    planMaintain: () =>
      Promise.resolve({
        expiredSnapshots: 2,
        expiredRefs: [],
        metadataFiles: 0,
        expiredFiles: 3,
        orphanFiles: 1,
        orphanBytes: '100',
        unreadable: [],
        droppedDeletes: 0,
        manifestsBefore: 0,
        manifestsAfter: 0,
      }),
    planExpiry: () => steps.expiry?.() ?? Promise.resolve(plannedExpiry(2)),
    commitExpiry: () => Promise.resolve(2),
    deleteExpiredFiles: () => Promise.resolve({ deletedFiles: 3, unreadable: [] }),
    sweepOrphans: ({ after }) => steps.sweep?.(after) ?? Promise.resolve(swept),
    tidyManifests: () => Promise.resolve({ droppedDeletes: 0, manifestsBefore: 4, manifestsAfter: 1 }),
  };
}

/** A plan of `groups` groups, two of which are committed together. */
export function plannedCompaction(groups: number): PlannedCompaction {
  const planLocation = groups === 0 ? null : '/plans/4.json';
  return { planLocation, groups, groupsPerCommit: 2, files: 5 * groups, rows: '100', bytes: '5000', skipped: [] };
}

/** Five files that became one. */
export function rewrittenGroup(group: number): RewrittenFiles {
  return {
    group,
    manifestLocation: `/manifests/${group}.avro`,
    filesRemoved: 5,
    bytesRemoved: '5000',
    rows: '10',
    files: 1,
    bytes: '1000',
    skipped: null,
  };
}

export function plannedExpiry(snapshots: number): PlannedExpiry {
  return { planLocation: snapshots === 0 ? null : '/plans/5.json', snapshots, refs: [], metadataFiles: 0 };
}
