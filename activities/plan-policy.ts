/** The work that the policy of a project asks for, some tables at a time. */
import { MoraineError } from '../errors/index.js';
import { planPolicyRuns, policyFor, type TableState, tableHealth } from '../maintenance/index.js';
import { changeableTableNames, type Project } from '../project/index.js';
import { movedTo } from '../tables/index.js';
import type { FailedPolicyStep, PlanPolicyInput, PolicyPlan } from './maintain-contract.js';
import { requestTableName } from './request-table.js';

/** The work on so many tables travels as one list. */
const MAX_TABLES = 2000;
const MAX_MESSAGE_CHARS = 300;

/**
 * The runs that the policy asks for now, of the next tables in the order of their names. Each list of tables has an equal share of what is left of
 * the budgets, so that the last ones have their turn as the first have.
 * @param maxTables in a list
 * @throws `INVALID_ARGUMENT` if there is no policy
 */
export async function planPolicy(
  project: Project,
  { after, left }: Pick<PlanPolicyInput, 'after' | 'left'>,
  signal: AbortSignal,
  maxTables: number = MAX_TABLES,
): Promise<PolicyPlan> {
  const policies = project.config.maintenance;
  if (policies.length === 0) {
    throw new MoraineError('INVALID_ARGUMENT', 'moraine.yaml has no maintenance policy: add `maintenance` to it');
  }
  const budgets = policies.map(({ budgetBytes }, policy) => left?.[policy] ?? budgetBytes);
  const waiting = (await tablesOfPolicies(project)).filter((table) => after === undefined || table > after);
  const tables = waiting.slice(0, maxTables);
  const lists = Math.max(1, Math.ceil(waiting.length / maxTables));
  const shares = policies.map((policy, position) => ({
    ...policy,
    budgetBytes: Math.max(0, Math.floor((budgets[position] ?? 0) / lists)),
  }));
  const { states, failed } = await healthOf(project, tables, signal);
  const next = tables.at(-1);
  return {
    budgets,
    runs: planPolicyRuns(shares, states),
    failed,
    ...(waiting.length > tables.length && next !== undefined ? { next } : {}),
  };
}

/** The tables that any policy is for, in the order of their names. */
async function tablesOfPolicies(project: Project): Promise<readonly string[]> {
  const policies = project.config.maintenance;
  const tables: string[] = [];
  for await (const found of changeableTableNames(project)) {
    const table = requestTableName(project, found);
    if (policyFor(policies, table) !== undefined) tables.push(table);
  }
  return tables.sort();
}

async function healthOf(project: Project, tables: readonly string[], signal: AbortSignal) {
  const states: TableState[] = [];
  const failed: FailedPolicyStep[] = [];
  for (const table of tables) {
    signal.throwIfAborted();
    try {
      const loaded = await project.loadTable(table);
      // A table that has moved is kept in shape under its new name.
      if (movedTo(loaded.metadata) !== null) continue;
      states.push({ table, health: await tableHealth(loaded, BigInt(Date.now())) });
    } catch (error) {
      // One that is damaged keeps no other from its turn; where the storage is away, all of it is tried again.
      if (!(error instanceof MoraineError) || error.retryable) throw error;
      if (error.code === 'TABLE_NOT_FOUND') continue; // dropped meanwhile
      const message = `${error.code}: ${error.message}`.slice(0, MAX_MESSAGE_CHARS);
      failed.push({ table, step: 'health', message });
    }
  }
  return { states, failed };
}
