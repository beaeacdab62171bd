/** What the details, the query `progress` and the result of maintenance by the policy say. */
import type {
  FailedPolicyStep,
  MaintainTablesReported,
  MaintainTablesResult,
  PolicyPlan,
} from '../../activities/maintain-contract.js';
import { counted } from '../../errors/index.js';
import { type Change, Report } from '../report.js';
import { runLink } from '../ui-links.js';

/** Failures that the details show at most. */
const SHOWN_FAILURES = 10;

export type MaintainTablesReport = Report<MaintainTablesReported>;

/** @param reported by the execution before this one */
export function maintainTablesReport(reported?: MaintainTablesReported): MaintainTablesReport {
  const none = { toCompact: 0, compacted: [], maintained: [], failed: [] };
  return new Report<MaintainTablesReported>({
    subject: 'maintenance by the policy',
    description: 'How many tables are done, and which one is worked on.',
    first: reported ?? { progress: { step: 'planning', tables: 0, tablesDone: 0, failed: 0 }, ...none },
    lines,
  });
}

/** Adds the work of one plan, of several where there are many tables. */
export const planMade =
  (plan: PolicyPlan): Change<MaintainTablesReported> =>
  (state) => {
    const { tables, toCompact } = planNumbers(plan);
    const { progress } = state;
    const failed = [...state.failed, ...plan.failed];
    return {
      ...state,
      progress: { ...progress, step: 'working', tables: progress.tables + tables, failed: failed.length },
      toCompact: state.toCompact + toCompact,
      failed,
    };
  };

/** Of a plan, for the memo. */
export function planNumbers({ runs, budgets }: PolicyPlan) {
  const toCompact = runs.filter(({ compact }) => compact !== undefined).length;
  return { tables: runs.length, toCompact, budgets };
}

export const stepBegan =
  (doing: FailedPolicyStep['step'], table: string, workflowId: string): Change<MaintainTablesReported> =>
  (state) => ({ ...state, progress: { ...state.progress, table, doing }, workflowId });

/** Files of the table were rewritten. A table may be compacted twice, when a budget is left. */
export const tableCompacted =
  (table: string): Change<MaintainTablesReported> =>
  (state) => ({ ...state, compacted: [...new Set([...state.compacted, table])] });

export const tableMaintained =
  (table: string): Change<MaintainTablesReported> =>
  (state) => ({ ...state, maintained: [...state.maintained, table] });

export const stepFailed =
  (failure: FailedPolicyStep): Change<MaintainTablesReported> =>
  (state) => {
    const failed = [...state.failed, failure];
    return { ...state, progress: { ...state.progress, failed: failed.length }, failed };
  };

export const tableDone: Change<MaintainTablesReported> = (state) => ({
  ...state,
  progress: { ...state.progress, tablesDone: state.progress.tablesDone + 1 },
});

/** No table is in work any more. */
export const allDone: Change<MaintainTablesReported> = ({ progress, toCompact, compacted, maintained, failed }) => {
  const { step, tables, tablesDone } = progress;
  const counts = { step, tables, tablesDone, failed: failed.length };
  return { progress: counts, toCompact, compacted, maintained, failed };
};

export function maintainTablesResult({
  progress,
  compacted,
  maintained,
  failed,
}: MaintainTablesReported): MaintainTablesResult {
  return { tables: progress.tables, compacted, maintained, failed };
}

function lines({ progress, toCompact, workflowId, compacted, maintained, failed }: MaintainTablesReported) {
  const { tables, tablesDone, table, doing } = progress;
  return [
    `- plan: ${counted(tables, 'table')}, ${toCompact} of them to compact`,
    `- tables done: ${tablesDone}; compacted ${compacted.length}, maintained ${maintained.length}`,
    ...(workflowId === undefined ? [] : [`- now: ${doing} \`${table}\`, as ${runLink({ workflowId })}`]),
    ...failed.slice(0, SHOWN_FAILURES).map((one) => `- failed: ${one.step} \`${one.table}\`: ${one.message}`),
  ];
}
