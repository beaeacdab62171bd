import { defineQuery, setHandler, upsertMemo } from '@temporalio/workflow';
import type {
  FailedPolicyStep,
  MaintainTablesProgress,
  MaintainTablesResult,
  PolicyPlan,
} from '../../activities/maintain-contract.js';
import { counted } from '../../errors/index.js';
import { runLink, showDetails } from '../run-details.js';

const tablesProgress = defineQuery<MaintainTablesProgress>('progress');

/** Failures that the details show at most. */
const SHOWN_FAILURES = 10;

/** Keeps what became of the tables of a policy, and shows it: in the `progress` query, the memo and the details. */
export class MaintainTablesReport {
  #progress: MaintainTablesProgress = { step: 'planning', tables: 0, tablesDone: 0, failed: 0 };
  #needy = 0;
  #run: string | undefined;
  readonly #compacted = new Set<string>();
  readonly #maintained = new Set<string>();
  readonly #failed: FailedPolicyStep[] = [];

  constructor() {
    setHandler(tablesProgress, () => this.#progress, {
      description: 'How many tables are done, and which one is worked on.',
    });
    this.#show();
  }

  planned({ runs, budgets, failed }: PolicyPlan): void {
    this.#failed.push(...failed);
    this.#needy = runs.filter(({ compact }) => compact !== undefined).length;
    this.#progress = { ...this.#progress, step: 'working', tables: runs.length, failed: failed.length };
    upsertMemo({ plan: { tables: runs.length, toCompact: this.#needy, budgets }, progress: this.#progress });
    this.#show();
  }

  /** @param workflowId the child that begins */
  began(step: FailedPolicyStep['step'], table: string, workflowId: string): void {
    this.#progress = { ...this.#progress, table, doing: step };
    this.#run = workflowId;
    this.#show();
  }

  /** Files of it were rewritten. */
  compacted(table: string): void {
    this.#compacted.add(table);
  }

  maintained(table: string): void {
    this.#maintained.add(table);
  }

  failed(failure: FailedPolicyStep): void {
    this.#failed.push(failure);
    this.#progress = { ...this.#progress, failed: this.#failed.length };
    upsertMemo({ progress: this.#progress });
  }

  tableDone(): void {
    this.#progress = { ...this.#progress, tablesDone: this.#progress.tablesDone + 1 };
  }

  done(): MaintainTablesResult {
    const { tables, tablesDone, failed } = this.#progress;
    this.#progress = { step: 'done', tables, tablesDone, failed };
    this.#run = undefined;
    upsertMemo({ progress: this.#progress });
    this.#show();
    return {
      tables,
      compacted: [...this.#compacted],
      maintained: [...this.#maintained],
      failed: this.#failed,
    };
  }

  #show(): void {
    const { step, tables, tablesDone, table, doing } = this.#progress;
    showDetails(`**maintenance by the policy**: ${step}`, [
      `- plan: ${counted(tables, 'table')}, ${this.#needy} of them to compact`,
      `- tables done: ${tablesDone}; compacted ${this.#compacted.size}, maintained ${this.#maintained.size}`,
      ...(this.#run === undefined ? [] : [`- now: ${doing} \`${table}\`, as ${runLink({ workflowId: this.#run })}`]),
      ...this.#failed.slice(0, SHOWN_FAILURES).map((one) => `- failed: ${one.step} \`${one.table}\`: ${one.message}`),
    ]);
  }
}
