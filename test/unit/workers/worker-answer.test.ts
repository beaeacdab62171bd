/** What is made of a Temporal server's words where a workflow was asked something. */
import { Metadata, status } from '@grpc/grpc-js';
import { type Client, ServiceError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { workerAnswer } from '../../../workers/clients/worker-answer.js';

const client = { withDeadline: (_: number, ask: () => Promise<unknown>) => ask() } as unknown as Client;

// The texts are those of Temporal's server.
test.each([
  [status.CANCELLED, 'context canceled', true],
  [status.DEADLINE_EXCEEDED, 'context deadline exceeded', true],
  [status.FAILED_PRECONDITION, 'no poller seen for task queue recently, worker may be down', true],
  [status.FAILED_PRECONDITION, '1.0 is drained and has no pollers to answer the query.', true],
  [status.FAILED_PRECONDITION, 'Unable to query workflow due to Workflow Task in failed state.', false],
])('code %i, %j', async (code, details, isUnpolled) => {
  const cause = Object.assign(new Error(details), { code, details, metadata: new Metadata() });
  const said = new ServiceError('Failed to query Workflow', { cause });
  const error: unknown = await workerAnswer(client, 'w', () => Promise.reject(said)).catch((caught: unknown) => caught);
  if (isUnpolled) expect(error).toMatchObject({ code: 'TASK_QUEUE_UNPOLLED', cause: said });
  else expect(error).toBe(said);
});
