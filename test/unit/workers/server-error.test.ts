/** What commands say of a Temporal server that answers and does not do what it is asked: with errors of real servers. */
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { expect, inject, onTestFinished, test } from 'vitest';
import { checkTemporal } from '../../../cli/temporal-check.js';
import { configFromValue } from '../../../config/index.js';
import { withTemporalClient } from '../../../workers/clients/connection.js';

const settings = (address: string, namespace: string) => ({
  ...{ address, namespace, taskQueue: 'nobody', connection: { address } },
});

/** A server that answers every call with an error. */
async function refusing(code: status, details: string): Promise<string> {
  const server = new Server();
  const identity = <T>(value: T): T => value;
  const methods = ['GetSystemInfo', 'ListWorkflowExecutions'].map((name) => [
    name,
    {
      path: `/temporal.api.workflowservice.v1.WorkflowService/${name}`,
      ...{ requestStream: false, responseStream: false },
      ...{ requestSerialize: identity<Buffer>, requestDeserialize: identity<Buffer> },
      ...{ responseSerialize: identity<Buffer>, responseDeserialize: identity<Buffer> },
    },
  ]);
  const refuse = (_call: unknown, answer: (error: object) => void): void => answer({ code, details });
  server.addService(Object.fromEntries(methods) as Parameters<Server['addService']>[0], {
    GetSystemInfo: refuse,
    ListWorkflowExecutions: refuse,
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  onTestFinished(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

async function listed(address: string, namespace: string): Promise<unknown> {
  const list = withTemporalClient(settings(address, namespace), async ({ client }) => {
    for await (const run of client.workflow.list({ query: "WorkflowType = 'nothing'" })) return run;
    return undefined;
  });
  return await list.catch((error: unknown) => error);
}

test('a namespace that is not there is named, with the setting', async () => {
  const address = inject('temporalAddress');
  expect(await listed(address, 'away')).toMatchObject({
    code: 'TEMPORAL_UNAVAILABLE',
    message: `the Temporal server at ${address} does not find the namespace "away"`,
    remedy: expect.stringContaining('temporal.namespace') as string,
  });
});

test('the doctor looks for the namespace', async () => {
  const address = inject('temporalAddress');
  const check = (namespace: string) => checkTemporal(configFromValue({ temporal: { address, namespace } }, '/p'));
  expect(await check('default')).toEqual({ detail: `${address} answers, namespace default` });
  await expect(check('away')).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
});

test.each([
  ['a key that it does not know', status.UNAUTHENTICATED, 'Jwt is expired'],
  ['a namespace that the key is not for', status.PERMISSION_DENIED, 'Request unauthorized.'],
])('%s is said with the reason, and not tried again for long', async (_what, code, reason) => {
  const address = await refusing(code, reason);
  expect(await listed(address, 'shop')).toMatchObject({
    code: 'CONFIG_INVALID',
    message: `the Temporal server at ${address} refuses this client in the namespace "shop": ${reason}`,
    remedy: expect.stringContaining('temporal.apiKey') as string,
  });
});
