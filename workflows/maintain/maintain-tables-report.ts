/** What the details, the query `progress` and the result of maintenance by the policy say. */
import type {
  FailedPolicyStep,
  MaintainTablesReported,
  MaintainTablesResult,
  PolicyPlan,
  UnlistedTables,
} from '../../activities/maintain-contract.js';
import { counted } from '../../errors/index.js';
import { type Change, Report } from '../report.js';
import { runLink } from '../ui-links.js';

/** Failures that the details show at most. */
const SHOWN_FAILURES = 10;
/** What is known travels as one value, in the result and to the next execution. */
const LISTED = { compacted: 2000, maintained: 2000, failed: 200 } as const;
const NO_MORE: UnlistedTables = { compacted: 0, maintained: 0, failed: 0 };

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
    const listed = withMore(state, 'failed', plan.failed);
    return {
      ...listed,
      progress: { ...progress, step: 'working', tables: progress.tables + tables, failed: countOf(listed, 'failed') },
      toCompact: state.toCompact + toCompact,
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
  (state) =>
    state.compacted.includes(table) ? state : withMore(state, 'compacted', [table]);

export const tableMaintained =
  (table: string): Change<MaintainTablesReported> =>
  (state) =>
    withMore(state, 'maintained', [table]);

export const stepFailed =
  (failure: FailedPolicyStep): Change<MaintainTablesReported> =>
  (state) => {
    const listed = withMore(state, 'failed', [failure]);
    return { ...listed, progress: { ...state.progress, failed: countOf(listed, 'failed') } };
  };

export const tableDone: Change<MaintainTablesReported> = (state) => ({
  ...state,
  progress: { ...state.progress, tablesDone: state.progress.tablesDone + 1 },
});

/** No table is in work any more. */
export const allDone: Change<MaintainTablesReported> = (state) => {
  const { progress, toCompact, compacted, maintained, failed, unlisted } = state;
  const { step, tables, tablesDone } = progress;
  const counts = { step, tables, tablesDone, failed: countOf(state, 'failed') };
  const lists = { compacted, maintained, failed, ...(unlisted === undefined ? {} : { unlisted }) };
  return { progress: counts, toCompact, ...lists };
};

export function maintainTablesResult(state: MaintainTablesReported): MaintainTablesResult {
  const { progress, compacted, maintained, failed, unlisted } = state;
  return { tables: progress.tables, compacted, maintained, failed, ...(unlisted === undefined ? {} : { unlisted }) };
}

/** Adds to a list as far as it has room; the rest is counted. */
function withMore<K extends keyof UnlistedTables>(
  state: MaintainTablesReported,
  list: K,
  added: MaintainTablesReported[K],
): MaintainTablesReported {
  const all = [...state[list], ...added];
  const more = all.length - LISTED[list];
  if (more <= 0) return { ...state, [list]: all };
  const { unlisted = NO_MORE } = state;
  return { ...state, [list]: all.slice(0, LISTED[list]), unlisted: { ...unlisted, [list]: unlisted[list] + more } };
}

const countOf = (state: MaintainTablesReported, list: keyof UnlistedTables): number =>
  state[list].length + (state.unlisted?.[list] ?? 0);

function lines(state: MaintainTablesReported) {
  const { progress, toCompact, workflowId, failed } = state;
  const { tables, tablesDone, table, doing } = progress;
  return [
    `- plan: ${counted(tables, 'table')}, ${toCompact} of them to compact`,
    `- tables done: ${tablesDone}; compacted ${countOf(state, 'compacted')}, maintained ${countOf(state, 'maintained')}`,
    ...(workflowId === undefined ? [] : [`- now: ${doing} \`${table}\`, as ${runLink({ workflowId })}`]),
    ...failed.slice(0, SHOWN_FAILURES).map((one) => `- failed: ${one.step} \`${one.table}\`: ${one.message}`),
  ];
}
