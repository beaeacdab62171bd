import { ApplicationFailure, executeChild, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { CompactResult } from '../../activities/compact-contract.js';
import type {
  FailedPolicyStep,
  MaintainTablesInput,
  MaintainTablesResult,
  PolicyRunInput,
} from '../../activities/maintain-contract.js';
import { ownInput } from '../own-input.js';
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

/**
 * Keeps the tables of the project in shape by the policy in `moraine.yaml`, one after the other, the neediest first: for a schedule. What
 * fails for one table keeps no other from its turn.
 *
 * The input is `{"policy": true}`.
 */
export async function maintainTables(input: MaintainTablesInput): Promise<MaintainTablesResult> {
  const report = maintainTablesReport();
  const plan = await maintenance.planPolicy.executeWithOptions({ summary: 'Plan: health of every table' }, [
    { request: ownInput(input) },
  ]);
  report.save(planMade(plan), planNumbers(plan));
  const tables = new PolicyTables(report, plan.budgets);
  for (const run of plan.runs) {
    await tables.work(run);
    report.show(tableDone);
  }
  await tables.spendRest();
  report.show(allDone);
  return report.done(maintainTablesResult);
}

/** A table of which some files were left, though not more than `maxBytes` were read. */
interface Unfinished {
  readonly run: PolicyRunInput;
  readonly maxBytes: number;
}

/** Works on tables one at a time, and keeps account of the budgets. */
class PolicyTables {
  readonly #report: MaintainTablesReport;
  /** Bytes of each policy's budget that were not read. */
  readonly #left: number[];
  readonly #unfinished: Unfinished[] = [];

  constructor(report: MaintainTablesReport, budgets: readonly number[]) {
    this.#report = report;
    this.#left = [...budgets];
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
  async spendRest(): Promise<void> {
    for (const { run, maxBytes } of this.#unfinished.splice(0)) {
      const left = this.#left[run.policy] ?? 0;
      if (left > maxBytes) await this.#compact(run, left);
    }
  }

  async #compact(run: PolicyRunInput, maxBytes: number): Promise<void> {
    const { table, policy, compact } = run;
    if (compact === undefined) return;
    const input = { table, strategy: compact.strategy, maxBytes };
    const result = await this.#step<CompactResult>('compact', table, input);
    if (result === null) return;
    if (result.groups > 0) this.#report.show(tableCompacted(table));
    this.#left[policy] = (this.#left[policy] ?? 0) - Number(result.bytesRemoved);
    if (result.skipped.length > 0) this.#unfinished.push({ run, maxBytes });
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
      this.#report.save(stepFailed({ table, step, message: reasonOf(error) }));
      return null;
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.cause instanceof Error) return reasonOf(error.cause);
  if (error instanceof ApplicationFailure) return `${error.type ?? 'RUN_FAILED'}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
