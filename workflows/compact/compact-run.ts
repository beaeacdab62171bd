import {
  ApplicationFailure,
  CancellationScope,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  sleep,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  CompactFailure,
  CompactInput,
  CompactRequested,
  CompactResult,
  CompactRunInput,
  CompactState,
  PlannedCompaction,
  RewrittenFiles,
} from '../../activities/compact-contract.js';
import { throwIfCancelled } from '../cancellation.js';
import { requireHandedOver } from '../own-input.js';
import { commitUntilKnown } from '../parked-commit.js';
import { RequestQueue } from '../request-queue.js';
import { conflictWaitMs } from '../retry.js';
import { asFailure, failureOf } from '../run-outcome.js';
import { turns } from '../turns.js';
import { compactCommit, compactEnd, compaction } from './compact-policies.js';
import {
  type CompactReport,
  compactReport,
  compactResult,
  groupRewritten,
  groupsCommitted,
  passBegan,
  planMade,
  planNumbers,
  requestBegan,
} from './compact-report.js';

type Queue = RequestQueue<CompactInput, CompactResult>;

/** Passes after which another writer is in the way for good. */
const MAX_PASSES = 20;
/** Groups of one history; the run then goes on in a new one. */
const GROUPS_PER_HISTORY = 1000;

/**
 * The compaction of one table; there is one at a time of each, its workflow id names the table. Requests are done in the order in which
 * they came, equal ones at once. Groups are rewritten side by side and committed together, some at a time; those in conflict are
 * planned again, those that fail hold up no other.
 */
export async function compactRun(input: CompactRunInput): Promise<CompactResult> {
  requireHandedOver('compact', input, 'table');
  const report = compactReport(input);
  const { goesOn, left, ...others } = input;
  const queue: Queue = new RequestQueue('compact', 'a compaction', input.table, goesOn ?? left);
  let state = goesOn;
  return queue.workOff(
    (_, asked) => {
      const begun = state;
      state = undefined;
      return new Run(others, asked, report, queue).finish(begun);
    },
    (next) => continueAsNew<typeof compactRun>({ ...others, left: next }),
  );
}

/** One request, from its first plan to its last commit. */
class Run {
  readonly #input: CompactRunInput;
  readonly #asked: readonly CompactRequested[];
  readonly #report: CompactReport;
  readonly #queue: Queue;
  #rewritten = 0;
  #failure: CompactFailure | undefined;

  constructor(input: CompactRunInput, asked: readonly CompactRequested[], report: CompactReport, queue: Queue) {
    this.#input = input;
    this.#asked = asked;
    this.#report = report;
    this.#queue = queue;
  }

  async finish(goesOn: CompactState | undefined): Promise<CompactResult> {
    const [first] = this.#asked;
    const request = first?.request ?? { table: this.#input.table, strategy: 'binpack' as const };
    const runId = goesOn?.runId ?? uuid4();
    this.#failure = goesOn?.failure;
    if (goesOn === undefined) this.#report.show(requestBegan(request.strategy));
    try {
      let conflicts =
        goesOn === undefined ? null : await this.#pass(runId, goesOn.plan, goesOn.nextGroup, goesOn.conflicts);
      let plan = goesOn?.plan;
      for (const _ of turns()) {
        if (conflicts?.length === 0) break;
        const { passes } = this.#report.state.progress;
        if (passes >= MAX_PASSES) throw tooManyPasses(request.table, passes);
        if (conflicts !== null) await sleep(conflictWaitMs(passes), { summary: 'Conflict: plan these groups again' });
        this.#report.show(passBegan);
        const again = { planLocation: plan?.planLocation ?? '', groups: conflicts ?? [] };
        const summary = conflicts === null ? 'Plan: choose files' : `Plan again: ${conflicts.length} groups`;
        plan = await compaction.planCompaction.executeWithOptions({ summary }, [
          { request, runId, ...(conflicts === null ? {} : { again }) },
        ]);
        this.#report.save(planMade(plan), planNumbers(plan));
        conflicts = await this.#pass(runId, plan, 0, []);
      }
    } catch (error) {
      if (error instanceof ContinueAsNew) throw error;
      await this.#end(runId);
      throw error;
    }
    await this.#end(runId);
    if (this.#failure !== undefined) throw asFailure(this.#failure);
    return this.#report.done(compactResult(this.#input.table));
  }

  /** @returns the groups that have to be planned again */
  async #pass(
    runId: string,
    plan: PlannedCompaction,
    firstGroup: number,
    before: readonly number[],
  ): Promise<readonly number[]> {
    let conflicts = before;
    const { planLocation, groups } = plan;
    if (planLocation === null) return [];
    const groupsPerCommit = Math.max(1, plan.groupsPerCommit);
    for (let first = firstGroup; first < groups; first += groupsPerCommit) {
      if (this.#rewritten >= GROUPS_PER_HISTORY || workflowInfo().continueAsNewSuggested) {
        await this.#goOn(runId, plan, first, conflicts);
      }
      const count = Math.min(groupsPerCommit, groups - first);
      conflicts = [...conflicts, ...(await this.#batch(planLocation, groups, first, count))];
    }
    return conflicts;
  }

  async #batch(planLocation: string, groups: number, first: number, count: number): Promise<readonly number[]> {
    const rewritten = await Promise.all(
      Array.from({ length: count }, (_, index) => this.#rewrite(planLocation, groups, first + index)),
    );
    throwIfCancelled();
    this.#rewritten += count;
    const ready = rewritten.flatMap((one) => (one === null || one.skipped !== null ? [] : [one]));
    if (ready.length === 0) return [];
    this.#report.begin('committing');
    const staged = ready.map(({ group, manifestLocation }) => ({ group, manifestLocation }));
    const { table } = this.#input;
    const summary = `Commit: groups ${first + 1} to ${first + count} of ${groups}`;
    // A commit that has begun is finished even if the run is cancelled, so that its outcome is known.
    const committed = await CancellationScope.nonCancellable(() =>
      commitUntilKnown(
        () => compactCommit.commitCompaction.executeWithOptions({ summary }, [{ planLocation, table, groups: staged }]),
        this.#report,
      ),
    );
    this.#report.save(groupsCommitted(ready, committed));
    return committed.conflicts;
  }

  /** Null: the group failed for good, and the others go on. */
  async #rewrite(planLocation: string, groups: number, group: number): Promise<RewrittenFiles | null> {
    try {
      const summary = `Rewrite: group ${group + 1} of ${groups}`;
      const rewritten = await compaction.rewriteGroup.executeWithOptions({ summary }, [
        { planLocation, table: this.#input.table, group },
      ]);
      this.#report.show(groupRewritten(rewritten));
      return rewritten;
    } catch (error) {
      if (isCancellation(error)) throw error;
      this.#failure ??= failureOf(error);
      return null;
    }
  }

  /** In a new history, with everything that is known so far. */
  async #goOn(runId: string, plan: PlannedCompaction, nextGroup: number, conflicts: readonly number[]): Promise<never> {
    throwIfCancelled();
    const state: CompactState = {
      ...this.#queue.left(this.#asked),
      runId,
      passes: this.#report.state.progress.passes,
      plan,
      nextGroup,
      conflicts,
      counts: this.#report.state.counts,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
    return continueAsNew<typeof compactRun>({ ...this.#input, goesOn: state });
  }

  async #end(runId: string): Promise<void> {
    const { table } = this.#input;
    await CancellationScope.nonCancellable(() => compactEnd.endCompaction({ table, runId }).catch(() => undefined));
  }
}

function tooManyPasses(table: string, passes: number): ApplicationFailure {
  const message = `Other writers were faster with the files of ${table} in each of ${passes} passes. What was committed stays.`;
  return ApplicationFailure.create({ message, type: 'COMMIT_CONFLICT', nonRetryable: true });
}
