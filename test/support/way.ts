/** A way that a workflow can take, as a script of its activities, and what such scripts are made of. */
import { Context } from '@temporalio/activity';
import type { AllActivities } from '../../activities/index.js';
import { failureOf, scriptedActivities } from './scripted-activities.js';
import { type CompactSteps, type MaintainSteps, scriptedCompact, scriptedMaintain } from './scripted-upkeep.js';

/** One way of a workflow. */
export interface Way {
  /** The workflow's type. */
  readonly workflow: string;
  /** Its name, such as `three-shards`. */
  readonly name: string;
  /** @param subject a name of its own for the view, table or dataset */
  readonly input: (subject: string) => unknown;
  /** Id of the run that an entry workflow asks for; its history is kept, too. */
  readonly runId?: (subject: string) => string;
  readonly activities: AllActivities;
  /** How the workflow ends: `completed`, or the code that it fails with. */
  readonly outcome: string;
}

export type Steps = Parameters<typeof scriptedActivities>[0] & {
  readonly compact?: CompactSteps;
  readonly maintain?: MaintainSteps;
};

export function scripted({ compact, maintain, ...steps }: Steps): AllActivities {
  return { ...scriptedActivities(steps), ...scriptedCompact(compact), ...scriptedMaintain(maintain) };
}

export function failing(code: string): () => Promise<never> {
  return async () => {
    throw failureOf(code, true);
  };
}

export function failingOnce<Input, Answer>(
  code: string,
  answer: (input: Input) => Answer,
): (input: Input) => Promise<Answer> {
  let calls = 0;
  return async (input) => {
    calls += 1;
    if (calls === 1) throw failureOf(code);
    return answer(input);
  };
}

/** Works as long as it may, and is slow, as its heartbeats say. */
export async function untilGivenUp(): Promise<never> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat({}), 1000);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(timer);
  }
}

/** An answer of a step that does not hear that its run is cancelled meanwhile. */
export async function cancelled<Answer>(answer: Answer): Promise<Answer> {
  const { client, info } = Context.current();
  const { workflowId, runId } = info.workflowExecution ?? { workflowId: '' };
  await client.workflow.getHandle(workflowId, runId).cancel();
  return answer;
}
