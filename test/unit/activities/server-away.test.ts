/** Errors of the Temporal server in a step are retried, as the server itself returns: with errors of real servers. */
import { Client, Connection } from '@temporalio/client';
import { ApplicationFailure, NamespaceNotFoundError } from '@temporalio/common';
import { expect, inject, test } from 'vitest';
import { toFailure } from '../../../activities/step.js';
import { openConnection } from '../../../workers/clients/closable-connection.js';

async function thrownBy(address: string, namespace: string): Promise<unknown> {
  const connection = Connection.lazy({ address });
  try {
    const { workflow } = new Client({ connection, namespace });
    const start = { workflowId: 'nobody', taskQueue: 'nobody', args: [], signal: 'requested', signalArgs: [] };
    return await connection
      .withDeadline(Date.now() + 1_000, () => workflow.signalWithStart('nobody', start))
      .catch((error: unknown) => error);
  } finally {
    await connection.close();
  }
}

test.each([
  [
    'a namespace that an overloaded server does not find',
    () => inject('temporalAddress'),
    /Namespace not found: 'away'/,
  ],
  ['a server that does not answer', () => '127.0.0.1:9', /did not answer: /],
])('%s', async (_name, address, message) => {
  const failure = toFailure(await thrownBy(address(), 'away'));
  expect(failure).toBeInstanceOf(ApplicationFailure);
  expect(failure).toMatchObject({ type: 'TEMPORAL_UNAVAILABLE', nonRetryable: false });
  expect(failure.message).toMatch(message);
});

test('a bug of ours is not retried', () => {
  expect(toFailure(new TypeError('x is undefined'))).toMatchObject({ type: 'INTERNAL', nonRetryable: true });
});

test('a client that asks for a namespace which is not there hears so after its last attempt', async () => {
  const connection = await openConnection({ address: inject('temporalAddress') });
  const { workflow } = new Client({ connection, namespace: 'away' });
  await expect(workflow.getHandle('nobody').describe()).rejects.toBeInstanceOf(NamespaceNotFoundError);
  await connection.close();
});
