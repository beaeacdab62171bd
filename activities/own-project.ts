/** Whose work an activity is: every activity of a project's worker looks before it begins. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { MoraineError } from '../errors/index.js';
import { projectOfId } from '../features/index.js';
import type { Project } from '../project/index.js';
import { asActivity } from './step.js';
import { otherProjects } from './task-queue-pollers.js';

/** Entries of people carry no project; who else polls their task queue is looked up this often. */
const LOOK_AGAIN_MS = 2_000;

type Steps = Readonly<Record<string, (input: never) => Promise<unknown>>>;

/**
 * The activities, each of which refuses the work of another project with `PROJECT_MISMATCH`: of a workflow whose id carries another
 * project, and of one whose id carries none as long as workers of another project poll the same task queue.
 */
export function ofOwnProject<T extends object>(project: Project, activities: T): T {
  const pollers = new PollersOfQueue();
  const guarded = Object.entries(activities as Steps).map(([name, step]) => [
    name,
    async (input: never) => {
      await asActivity(() => requireOwnWork(project, pollers));
      return step(input);
    },
  ]);
  return Object.fromEntries(guarded) as T;
}

async function requireOwnWork(project: Project, pollers: PollersOfQueue): Promise<void> {
  const { workflowExecution, taskQueue } = Context.current().info;
  if (workflowExecution === undefined) return;
  const { workflowId } = workflowExecution;
  const own = await project.identity();
  const owner = projectOfId(workflowId);
  if (owner === own) return;
  if (owner !== null) {
    throw refused(
      `The run ${workflowId} is of the project ${owner}, and this worker of ${own}. Both use the task queue ${JSON.stringify(taskQueue)}`,
      { owner, own, workflowId },
    );
  }
  const [other] = await pollers.others(Context.current().client, taskQueue, own);
  if (other === undefined) return;
  throw refused(
    `The run ${workflowId} does not say of which project it is, and workers of ${own} and ${other} poll the task queue ${JSON.stringify(taskQueue)}`,
    { owner: other, own, workflowId },
  );
}

function refused(what: string, details: Readonly<Record<string, string>>): MoraineError {
  const message = `${what}. Set another temporal.taskQueue in one of the two moraine.yaml, restart its workers, and start the run again.`;
  return new MoraineError('PROJECT_MISMATCH', message, { details });
}

/** The other projects that poll a task queue, as the server said a moment ago. */
class PollersOfQueue {
  readonly #seen = new Map<string, { readonly untilMs: number; readonly others: Promise<readonly string[]> }>();

  others(client: Client, taskQueue: string, own: string): Promise<readonly string[]> {
    const seen = this.#seen.get(taskQueue);
    if (seen !== undefined && Date.now() < seen.untilMs) return seen.others;
    const others = otherProjects(client, { taskQueue, kind: 'activities' }, own);
    this.#seen.set(taskQueue, { untilMs: Date.now() + LOOK_AGAIN_MS, others });
    others.catch(() => this.#seen.delete(taskQueue));
    return others;
  }
}
