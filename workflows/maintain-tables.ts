import {
  ApplicationFailure,
  executeChild,
  isCancellation,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { MaintainTablesInput, MaintainTablesResult, PolicyRunInput } from '../activities/maintain-contract.js';
import { maintenance } from './maintain-policies.js';

type Failure = MaintainTablesResult['failed'][number];

/**
 * Keeps the tables of the project in shape by the policy in `moraine.yaml`, one after the other, the neediest first: for a schedule. What
 * fails for one table keeps no other from its turn.
 *
 * The input is `{"policy": true}`.
 */
export async function maintainTables(input: MaintainTablesInput): Promise<MaintainTablesResult> {
  const runs = await maintenance.planPolicy.executeWithOptions({ summary: 'Plan: health of every table' }, [
    { request: input ?? null },
  ]);
  const compacted: string[] = [];
  const maintained: string[] = [];
  const failed: Failure[] = [];
  for (const [index, run] of runs.entries()) {
    const { table, compact, maintain } = run;
    setCurrentDetails(`Table ${index + 1} of ${runs.length}: \`${table}\``);
    if (compact !== undefined) {
      const failure = await step(run, 'compact', { table, ...compact });
      if (failure === null) compacted.push(table);
      else failed.push(failure);
    }
    if (maintain !== undefined) {
      const failure = await step(run, 'maintain', { table, ...maintain });
      if (failure === null) maintained.push(table);
      else failed.push(failure);
    }
  }
  setCurrentDetails(
    `${compacted.length} tables compacted, ${maintained.length} maintained, ${failed.length} steps failed.`,
  );
  return { tables: runs.length, compacted, maintained, failed };
}

/** Null: it is done. */
async function step({ table }: PolicyRunInput, name: Failure['step'], input: object): Promise<Failure | null> {
  try {
    const workflowId = `${workflowInfo().workflowId}/${name}/${table}`;
    await executeChild(name, { workflowId, args: [input], staticSummary: `${name} ${table}` });
    return null;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { table, step: name, message: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause instanceof Error) reason = reason.cause;
  if (reason instanceof ApplicationFailure) return `${reason.type ?? 'RUN_FAILED'}: ${reason.message}`;
  return reason instanceof Error ? reason.message : String(reason);
}
