/** Compaction as one library call: plan, rewrite, commit, without a workflow. */
import { randomUUID } from 'node:crypto';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { PlanOptions, SkippedFiles } from './choose-files.js';
import { type CommittedGroups, commitCompaction } from './commit-compaction.js';
import type { CompactDeps } from './compact-deps.js';
import { endCompaction } from './compact-lease.js';
import type { CompactRequest } from './compact-request.js';
import { type CompactionReference, planCompaction } from './plan-compaction.js';
import { type RewriteOptions, type RewrittenGroup, rewriteGroup } from './rewrite-group.js';

/** Result of a compaction, summed over its passes. */
export interface CompactionResult {
  readonly table: string;
  /** Groups of files that were replaced. */
  readonly groups: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
  readonly rows: bigint;
  readonly bytesRemoved: bigint;
  readonly bytesAdded: bigint;
  readonly skipped: readonly SkippedFiles[];
  /** How often it was planned: once, and again for groups that other writers were faster with. */
  readonly passes: number;
  /** Snapshot of the last commit; null: nothing was committed. */
  readonly snapshotId: bigint | null;
}

/** Passes after which another writer is in the way for good. */
const MAX_PASSES = 20;

/**
 * Compacts a table in this process. Groups run one after another.
 * @throws what {@link planCompaction}, {@link rewriteGroup} and {@link commitCompaction} throw, after the other groups were
 * committed; COMMIT_CONFLICT only after many passes
 */
export async function compactDirect(
  deps: CompactDeps,
  request: CompactRequest,
  options: RewriteOptions & Pick<PlanOptions, 'nowUs'> = {},
): Promise<CompactionResult> {
  const runId = randomUUID();
  const run = new DirectRun(deps, options);
  let again: PlanOptions['again'];
  try {
    for (let passes = 1; ; passes++) {
      const plan = await planCompaction(deps, request, { runId, again, nowUs: options.nowUs });
      const conflicts = await run.pass(plan);
      if (conflicts.length === 0 || plan.planLocation === null) return run.result(request.table, passes);
      if (passes >= MAX_PASSES) throw tooManyPasses(request.table, passes);
      again = { planLocation: plan.planLocation, groups: conflicts };
    }
  } finally {
    await endCompaction(deps, request.table, runId);
  }
}

export function tooManyPasses(table: string, passes: number): MoraineError {
  const message = `Other writers were faster with the files of ${table} in each of ${passes} passes. What was committed stays.`;
  return new MoraineError('COMMIT_CONFLICT', message);
}

/** Result of the passes of one run. */
class DirectRun {
  readonly #deps: CompactDeps;
  readonly #options: RewriteOptions;
  #groups = 0;
  #removed = { files: 0, bytes: 0n };
  #added = { files: 0, bytes: 0n, rows: 0n };
  #skipped: readonly SkippedFiles[] = [];
  #snapshotId: bigint | null = null;

  constructor(deps: CompactDeps, options: RewriteOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** @returns the groups that have to be planned again */
  async pass(plan: CompactionReference): Promise<readonly number[]> {
    this.#skipped = [...this.#skipped, ...plan.skipped];
    const conflicts: number[] = [];
    let failure: MoraineError | undefined;
    for (let first = 0; first < plan.groups; first += plan.groupsPerCommit) {
      const staged: RewrittenGroup[] = [];
      for (let group = first; group < Math.min(plan.groups, first + plan.groupsPerCommit); group++) {
        try {
          staged.push(await rewriteGroup(this.#deps, plan.planLocation ?? '', group, this.#options));
        } catch (error) {
          if (!isMoraineError(error) || error.code === 'CANCELLED') throw error;
          failure ??= error;
        }
      }
      conflicts.push(...(await this.#commit(plan, staged)));
    }
    if (failure !== undefined) throw failure;
    return conflicts;
  }

  async #commit(plan: CompactionReference, rewritten: readonly RewrittenGroup[]): Promise<readonly number[]> {
    const ready = rewritten.filter(({ skipped }) => skipped === null);
    const left = rewritten.filter(({ skipped }) => skipped !== null);
    this.#skipped = [
      ...this.#skipped,
      ...left.map(({ skipped, filesRemoved }) => ({ reason: skipped ?? '', files: filesRemoved })),
    ];
    if (ready.length === 0) return [];
    const done: CommittedGroups = await commitCompaction(this.#deps, plan.planLocation ?? '', ready);
    this.#snapshotId = done.snapshotId ?? this.#snapshotId;
    for (const one of ready) {
      if (!done.committed.includes(one.group)) continue;
      this.#groups += 1;
      this.#removed = { files: this.#removed.files + one.filesRemoved, bytes: this.#removed.bytes + one.bytesRemoved };
      const { files, bytes, rows } = this.#added;
      this.#added = { files: files + one.files, bytes: bytes + one.bytes, rows: rows + one.rows };
    }
    return done.conflicts;
  }

  result(table: string, passes: number): CompactionResult {
    return {
      table,
      groups: this.#groups,
      filesRemoved: this.#removed.files,
      filesAdded: this.#added.files,
      rows: this.#added.rows,
      bytesRemoved: this.#removed.bytes,
      bytesAdded: this.#added.bytes,
      skipped: this.#skipped,
      passes,
      snapshotId: this.#snapshotId,
    };
  }
}
