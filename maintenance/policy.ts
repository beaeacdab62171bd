/** From policy and health to runs: which tables are compacted and maintained, and how much each may read. Pure. */
import { LATEST_MIN_ROW_RATIO } from './compaction/online-groups.js';
import type { TableHealth } from './health.js';

/** The policy of tables whose name fits a pattern. The shape of an entry of `maintenance` in `moraine.yaml`. */
export interface MaintenancePolicy {
  /** `*` stands for any part of the name `[CATALOG/]NS.TABLE`. */
  readonly tables: string;
  readonly compact?: CompactPolicy;
  readonly maintain?: {
    readonly olderThan?: string;
    readonly retainLast?: number;
    readonly orphansOlderThan?: string;
    readonly deleteOutside?: boolean;
    readonly metadataVersions?: number;
  };
  /** Bytes that the compactions of one run may read together. */
  readonly budgetBytes: number;
}

/**
 * A table is compacted once one of its figures is as bad as this. For `latest` the amplification is that of reads: the files that a read of one entity
 * opens, of one hour where there are hours, since more of them may have to stay; rows for each entity have a limit that does not depend on the policy.
 */
export interface CompactPolicy {
  readonly strategy: 'binpack' | 'sort' | 'latest';
  readonly amplification: number;
  readonly deleteRatio: number;
}

export interface TableState {
  readonly table: string;
  readonly health: TableHealth;
}

/** Work of one run on one table. */
export interface PolicyRun {
  readonly table: string;
  /** Position of its policy. */
  readonly policy: number;
  /** `maxBytes`: the table's share of the budget. */
  readonly compact?: { readonly strategy: CompactPolicy['strategy']; readonly maxBytes: number };
  readonly maintain?: NonNullable<MaintenancePolicy['maintain']>;
}

/** The first policy whose pattern fits a table. */
export function policyFor(policies: readonly MaintenancePolicy[], table: string): MaintenancePolicy | undefined {
  return policies.find(({ tables }) => fits(tables, table));
}

function fits(pattern: string, table: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(table);
}

/**
 * The runs of all policies: the neediest tables first. The budget of a policy is shared alike among the tables that need compaction;
 * what one does not need goes to the others, so that a large table keeps no small one waiting.
 */
export function planPolicyRuns(
  policies: readonly MaintenancePolicy[],
  states: readonly TableState[],
): readonly PolicyRun[] {
  return policies.flatMap((policy, position) => {
    const ours = states.filter(({ table }) => policyFor(policies, table) === policy);
    const shares = budgetShares(policy, ours);
    return ours.toSorted(byNeed).flatMap(({ table }): readonly PolicyRun[] => {
      const maxBytes = shares.get(table);
      const compact = policy.compact === undefined || maxBytes === undefined ? undefined : policy.compact;
      if (compact === undefined && policy.maintain === undefined) return [];
      return [
        {
          table,
          policy: position,
          ...(compact === undefined || maxBytes === undefined
            ? {}
            : { compact: { strategy: compact.strategy, maxBytes } }),
          ...(policy.maintain === undefined ? {} : { maintain: policy.maintain }),
        },
      ];
    });
  });
}

function needsCompaction({ health }: TableState, policy: CompactPolicy): boolean {
  const { deleteRatio, reads } = health;
  if (health.dataFiles === 0) return false;
  if (deleteRatio > 0 && deleteRatio >= policy.deleteRatio) return true;
  if (policy.strategy !== 'latest' || reads === null) return health.amplification >= policy.amplification;
  return reads.filesPerPartition >= policy.amplification || reads.rowsPerEntity >= LATEST_MIN_ROW_RATIO;
}

function byNeed(a: TableState, b: TableState): number {
  const need = ({ health: { amplification, deleteRatio, reads } }: TableState): number =>
    (reads?.filesPerPartition ?? amplification) + deleteRatio;
  return need(b) - need(a) || (a.table < b.table ? -1 : 1);
}

/** Bytes for each table that needs compaction: equal shares, the smallest tables first, so that what they leave is shared anew. */
function budgetShares(policy: MaintenancePolicy, states: readonly TableState[]): ReadonlyMap<string, number> {
  const { compact } = policy;
  const shares = new Map<string, number>();
  if (compact === undefined) return shares;
  const needy = states.filter((state) => needsCompaction(state, compact));
  const bySize = needy.toSorted((a, b) => (a.health.dataBytes < b.health.dataBytes ? -1 : 1));
  let left = policy.budgetBytes;
  for (const [index, { table, health }] of bySize.entries()) {
    const share = Math.floor(left / (bySize.length - index));
    const given = health.dataBytes < BigInt(share) ? Number(health.dataBytes) : share;
    if (given > 0) shares.set(table, given);
    left -= given;
  }
  return shares;
}
