/** Tells a project's own runs on a server from those of others. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { nameOfId, projectName, projectOfId, type RunPlace } from '../activities/index.js';
import { didYouMean, MoraineError } from '../errors/index.js';
import { listRuns } from './list-runs.js';

/** Runs whose names are compared at most with one that does not exist. */
const MAX_COMPARED = 200;

/**
 * The workflow id of a project's run, by its id or by the part of it before the project: `materialize/<view>/incremental`. An id without a
 * project is that of a run that a person or an earlier version has started; it is the project's if it was started on its task queue.
 *
 * @throws `WORKFLOW_NOT_FOUND`; `PROJECT_MISMATCH` if the run of that id is another project's
 */
export async function ownRunId(client: Client, place: RunPlace, id: string): Promise<string> {
  const { project, taskQueue } = place;
  const owner = projectOfId(id);
  if (owner !== null && owner !== project) throw foreign(id, `the project ${owner}`);
  if (owner !== null) return id;
  const own = projectName(id, project);
  if ((await queueOf(client, own)) !== undefined) return own;
  const queue = await queueOf(client, id);
  if (queue === undefined) {
    const newest = await listRuns(client, { ...place, limit: MAX_COMPARED });
    const hint = didYouMean(id, new Set(newest.map(({ workflowId }) => nameOfId(workflowId))));
    const message = `This project has no run ${JSON.stringify(id)} on the Temporal server. ${hint}`;
    throw new MoraineError('WORKFLOW_NOT_FOUND', message, { details: { workflowId: id } });
  }
  if (queue !== taskQueue) throw foreign(id, `the task queue ${JSON.stringify(queue)}`);
  return id;
}

/** The task queue of the latest run of a workflow id. */
async function queueOf(client: Client, id: string): Promise<string | undefined> {
  try {
    return (await client.workflow.getHandle(id).describe()).taskQueue;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

function foreign(id: string, owner: string): MoraineError {
  const message = `The run ${JSON.stringify(id)} belongs to ${owner}, not to this project. Ask for it from there.`;
  return new MoraineError('PROJECT_MISMATCH', message, { details: { workflowId: id } });
}
