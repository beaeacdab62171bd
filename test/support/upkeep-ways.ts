/** Ways of compaction and maintenance. */
import type { CompactRunInput, CompactState } from '../../activities/compact-contract.js';
import { failureOf } from './scripted-activities.js';
import {
  type CompactSteps,
  type MaintainSteps,
  plannedCompaction,
  plannedExpiry,
  rewrittenGroup,
} from './scripted-upkeep.js';
import { cancelled, failing, scripted, type Way } from './way.js';

export function compactWays(): readonly Way[] {
  const way = (name: string, compact: CompactSteps, outcome = 'completed'): Way => ({
    workflow: 'compact',
    name,
    input: (table) => ({ table: `demo.${table}`, strategy: 'binpack' }),
    runId: (table) => `compact/demo.${table}`,
    activities: scripted({ compact }),
    outcome,
  });
  let plans = 0;
  return [
    way('three-groups', { plan: async () => plannedCompaction(3) }),
    way('nothing', { plan: async () => plannedCompaction(0) }),
    way('conflict', {
      plan: async () => plannedCompaction((plans += 1)),
      commit: async (groups) => ({ committed: [], conflicts: plans === 1 ? groups : [], snapshotId: '41' }),
    }),
    way(
      'failed',
      {
        plan: async () => plannedCompaction(2),
        rewrite: async (group) => {
          if (group === 0) throw failureOf('DATA_FILE_CORRUPT', true);
          return rewrittenGroup(group);
        },
      },
      'DATA_FILE_CORRUPT',
    ),
    way('cancelled', { rewrite: (group) => cancelled(rewrittenGroup(group)) }, 'CANCELLED'),
    {
      workflow: 'compactRun',
      name: 'goes-on',
      input: (name) => carriedCompaction(name),
      activities: scripted({}),
      outcome: 'completed',
    },
    {
      workflow: 'compactRun',
      name: 'goes-on-after-a-failed-request',
      input: (name) => carriedCompaction(name, { earlierFailure: { code: 'DATA_FILE_CORRUPT', message: 'damaged' } }),
      activities: scripted({}),
      outcome: 'DATA_FILE_CORRUPT',
    },
  ];
}

/** In its second history, after two of four groups. */
function carriedCompaction(name: string, more: Pick<CompactState, 'earlierFailure'> = {}): CompactRunInput {
  const table = `demo.${name}`;
  return {
    table,
    searchAttributes: true,
    goesOn: {
      ...more,
      waiting: [],
      asked: [{ request: { table, strategy: 'binpack' } }],
      runId: 'run',
      passes: 1,
      plan: plannedCompaction(4),
      nextGroup: 2,
      conflicts: [],
      counts: {
        groups: 2,
        filesRemoved: 10,
        filesAdded: 2,
        rows: '20',
        bytesRemoved: '10000',
        bytesAdded: '2000',
        skipped: [],
        snapshotId: '40',
      },
    },
  };
}

export function maintainWays(): readonly Way[] {
  const way = (name: string, maintain: MaintainSteps, outcome = 'completed', more: object = {}): Way => ({
    workflow: 'maintain',
    name,
    input: (table) => ({ table: `demo.${table}`, ...more }),
    runId: (table) => `maintain/demo.${table}`,
    activities: scripted({ maintain }),
    outcome,
  });
  const page = { deletedFiles: 1, deletedBytes: '100' };
  return [
    way('two-parts', { sweep: async (after) => ({ ...page, next: after === undefined ? 'data/m' : null }) }),
    way('nothing-expired', { expiry: async () => plannedExpiry(0) }),
    way('dry-run', {}, 'completed', { dryRun: true }),
    way('failed', { sweep: failing('METADATA_CORRUPT') }, 'METADATA_CORRUPT'),
    way('cancelled', { sweep: () => cancelled({ ...page, next: 'data/m' }) }, 'CANCELLED'),
  ];
}

export function maintainTablesWays(): readonly Way[] {
  let subject = '';
  const policy = async () => ({
    budgets: [1_000_000],
    runs: [
      { table: `demo.${subject}_a`, policy: 0, compact: { strategy: 'binpack', maxBytes: 1_000_000 }, maintain: {} },
      { table: `demo.${subject}_b`, policy: 0, maintain: { olderThan: '1d' } },
    ],
    failed: [],
  });
  return [
    {
      workflow: 'maintainTables',
      name: 'two-tables',
      input: (name) => {
        subject = name;
        return { policy: true };
      },
      activities: scripted({ compact: { rewrite: failing('DATA_FILE_CORRUPT') }, maintain: { policy } }),
      outcome: 'completed',
    },
  ];
}
