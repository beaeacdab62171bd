import {
  ApplicationFailure,
  continueAsNew,
  executeChild,
  isCancellation,
  patched,
  workflowInfo,
} from '@temporalio/workflow';
import type { CompactResult } from '../../activities/compact-contract.js';
import type {
  FailedPolicyStep,
  MaintainTablesInput,
  MaintainTablesResult,
  MaintainTablesState,
  PlanPolicyInput,
  PolicyAccount,
  PolicyPlan,
  PolicyRunInput,
} from '../../activities/maintain-contract.js';
import { throwIfCancelled } from '../cancellation.js';
import { ownInput } from '../own-input.js';
import { turns } from '../turns.js';
import { maintenance } from './maintain-policies.js';
import {
  allDone,
  type MaintainTablesReport,
  maintainTablesReport,
  maintainTablesResult,
  planMade,
  planNumbers,
  stepBegan,
  stepFailed,
  tableCompacted,
  tableDone,
  tableMaintained,
} from './maintain-tables-report.js';

const MAX_MESSAGE_CHARS = 300;

/** Maintenance of earlier versions did everything in one history. */
const GOES_ON = 'maintain-tables-goes-on';

/** Maintenance of earlier versions made one plan, of two thousand tables at most. */
const PLANS_ON = 'maintain-tables-plans-on';

/**
 * Keeps the tables of the project in shape by the policy in `moraine.yaml`, one after the other, the neediest first (of each two thousand, where there
 * are more): for a schedule. What fails for one table keeps no other from its turn.
 *
 * The input is `{"policy": true}`.
 */
export async function maintainTables(input: MaintainTablesInput): Promise<MaintainTablesResult> {
  const before = workflowInfo().continuedFromExecutionRunId === undefined ? undefined : input.goesOn;
  const report = maintainTablesReport(before?.reported);
  const begun = before ?? (await firstPlan(input, report));
  const tables = new PolicyTables(report, begun.account);
  let { runs, next } = begun;
  const goOn = (left: readonly PolicyRunInput[], following?: string): Promise<never> => {
    throwIfCancelled();
    const state = { runs: left, account: tables.account, reported: report.state };
    const goesOn = { ...state, ...(following === undefined ? {} : { next: following }) };
    return continueAsNew<typeof maintainTables>({ ...input, goesOn });
  };
  for (const _ of turns()) {
    for (const [index, run] of runs.entries()) {
      if (hasLongHistory()) await goOn(runs.slice(index), next);
      await tables.work(run);
      report.show(tableDone);
    }
    if (next === undefined || !patched(PLANS_ON)) break;
    const more = { request: { policy: true }, after: next, left: tables.account.left };
    ({ runs, next } = await planned(more, report));
  }
  for (const _ of turns()) {
    if (!tables.hasUnfinished) break;
    if (hasLongHistory()) await goOn([]);
    await tables.spendNext();
  }
  report.show(allDone);
  return report.done(maintainTablesResult);
}

/** Whether what is left is better done in a new history: a child takes some nine events. */
const hasLongHistory = (): boolean => workflowInfo().continueAsNewSuggested && patched(GOES_ON);

async function firstPlan(
  input: MaintainTablesInput,
  report: MaintainTablesReport,
): Promise<Pick<MaintainTablesState, 'runs' | 'account' | 'next'>> {
  const { runs, budgets, next } = await planned({ request: ownInput(input) }, report);
  return { runs, account: { left: budgets, unfinished: [] }, ...(next === undefined ? {} : { next }) };
}

async function planned(asked: PlanPolicyInput, report: MaintainTablesReport): Promise<PolicyPlan> {
  const plan = await maintenance.planPolicy.executeWithOptions({ summary: 'Plan: health of every table' }, [asked]);
  report.save(planMade(plan), planNumbers(plan));
  return plan;
}

/** Works on tables one at a time, and keeps account of the budgets. */
class PolicyTables {
  readonly #report: MaintainTablesReport;
  readonly #left: number[];
  readonly #unfinished: PolicyAccount['unfinished'][number][];

  constructor(report: MaintainTablesReport, { left, unfinished }: PolicyAccount) {
    this.#report = report;
    this.#left = [...left];
    this.#unfinished = [...unfinished];
  }

  get account(): PolicyAccount {
    return { left: this.#left, unfinished: this.#unfinished };
  }

  get hasUnfinished(): boolean {
    return this.#unfinished.length > 0;
  }

  async work(run: PolicyRunInput): Promise<void> {
    const { table, compact, maintain } = run;
    if (compact !== undefined) await this.#compact(run, compact.maxBytes);
    if (maintain === undefined) return;
    const result = await this.#step('maintain', table, { table, ...maintain });
    if (result !== null) this.#report.show(tableMaintained(table));
  }

  /**
   * A group of files that is larger than its table's share is not rewritten in part. So that it has its turn, what is left of a budget goes
   * to those tables, in order.
   */
  async spendNext(): Promise<void> {
    for (let next = this.#unfinished.shift(); next !== undefined; next = this.#unfinished.shift()) {
      const { run, maxBytes } = next;
      const left = this.#left[run.policy] ?? 0;
      if (left > maxBytes) return await this.#compact(run, left, 'last');
    }
  }

  async #compact(run: PolicyRunInput, maxBytes: number, turn: 'first' | 'last' = 'first'): Promise<void> {
    const { table, policy, compact } = run;
    if (compact === undefined) return;
    const input = { table, strategy: compact.strategy, maxBytes };
    const result = await this.#step<CompactResult>('compact', table, input);
    if (result === null) return;
    if (result.groups > 0) this.#report.show(tableCompacted(table));
    this.#left[policy] = (this.#left[policy] ?? 0) - Number(result.bytesRemoved);
    if (result.skipped.length > 0 && turn === 'first') this.#unfinished.push({ run, maxBytes });
  }

  /** Null: it failed, which is noted. */
  async #step<Result>(step: FailedPolicyStep['step'], table: string, input: object): Promise<Result | null> {
    const workflowId = `${workflowInfo().workflowId}/${step}/${table}`;
    this.#report.show(stepBegan(step, table, workflowId));
    try {
      const options = { workflowId, args: [input] as [object], staticSummary: `${step} ${table}` };
      return await executeChild<(input: object) => Promise<Result>>(step, options);
    } catch (error) {
      if (isCancellation(error)) throw error;
      this.#report.save(stepFailed({ table, step, message: reasonOf(error).slice(0, MAX_MESSAGE_CHARS) }));
      return null;
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.cause instanceof Error) return reasonOf(error.cause);
  if (error instanceof ApplicationFailure) return `${error.type ?? 'RUN_FAILED'}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
