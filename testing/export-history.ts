import { type Client, isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { MoraineError } from '../errors/index.js';

/** `NOT_FOUND` of gRPC, which the client passes on as it is when a history is fetched. */
const GRPC_NOT_FOUND = 5;

/**
 * The history of a run as JSON text, for {@link replayHistories}: Temporal's own format, which its web UI and command
 * read and write too.
 *
 * @param runId a run of the workflow id; the latest unless given
 * @throws `WORKFLOW_NOT_FOUND`
 */
export async function exportHistory(client: Client, workflowId: string, runId?: string): Promise<string> {
  try {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    return `${historyToJSON(history)}\n`;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const run = runId === undefined ? '' : ` with a run ${runId}`;
    const message = `there is no workflow ${JSON.stringify(workflowId)}${run} on the server`;
    throw new MoraineError('WORKFLOW_NOT_FOUND', message, { details: { workflowId }, cause: error });
  }
}

function isNotFound(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
  return code === GRPC_NOT_FOUND;
}
