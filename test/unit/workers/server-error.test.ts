/** What commands say of a Temporal server that answers and does not do what it is asked: with errors of real servers. */
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { expect, inject, onTestFinished, test } from 'vitest';
import { checkTemporal } from '../../../cli/temporal-check.js';
import { configFromValue } from '../../../config/index.js';
import { MoraineError } from '../../../errors/index.js';
import { errorAnswer } from '../../../service/http-error.js';
import { withTemporalClient } from '../../../workers/clients/connection.js';

const settings = (address: string, namespace: string) => ({
  ...{ address, namespace, taskQueue: 'nobody', connection: { address } },
});

type Handler = (call: unknown, answer: (error: object | null, response?: Buffer) => void) => void;

/** A server that knows some methods. */
async function serving(handlers: Readonly<Record<string, Handler>>): Promise<string> {
  const server = new Server();
  const identity = <T>(value: T): T => value;
  const methods = Object.keys(handlers).map((name) => [
    name,
    {
      path: `/temporal.api.workflowservice.v1.WorkflowService/${name}`,
      ...{ requestStream: false, responseStream: false },
      ...{ requestSerialize: identity<Buffer>, requestDeserialize: identity<Buffer> },
      ...{ responseSerialize: identity<Buffer>, responseDeserialize: identity<Buffer> },
    },
  ]);
  server.addService(Object.fromEntries(methods) as Parameters<Server['addService']>[0], { ...handlers });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  onTestFinished(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

/** A server that answers every call with an error. */
function refusing(code: status, details: string): Promise<string> {
  const refuse: Handler = (_call, answer) => answer({ code, details });
  return serving({ GetSystemInfo: refuse, ListWorkflowExecutions: refuse });
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

test('the doctor does not wait for a server that takes the question and gives no answer', async () => {
  const address = await serving({
    GetSystemInfo: (_call, answer) => answer(null, Buffer.alloc(0)),
    DescribeNamespace: () => undefined,
  });
  const config = configFromValue({ temporal: { address } }, '/p');
  await expect(checkTemporal(config, 500)).rejects.toMatchObject({
    code: 'TEMPORAL_UNAVAILABLE',
    message: `the Temporal server at ${address} does not answer`,
  });
});

test.each([
  ['a key that it does not know', status.UNAUTHENTICATED, 'Jwt is expired'],
  ['a namespace that the key is not for', status.PERMISSION_DENIED, 'Request unauthorized.'],
])('%s is said with the reason, and not tried again for long', async (_what, code, reason) => {
  const address = await refusing(code, reason);
  expect(await listed(address, 'shop')).toMatchObject({
    code: 'TEMPORAL_REFUSED',
    message: `the Temporal server at ${address} refuses this client in the namespace "shop": ${reason}`,
    remedy: expect.stringContaining('temporal.apiKey') as string,
  });
});

test('the service answers its clients that it is not they who are refused', () => {
  const { status: httpStatus, body } = errorAnswer(new MoraineError('TEMPORAL_REFUSED', 'the server refuses'));
  expect([httpStatus, body.code]).toEqual([503, 'TEMPORAL_REFUSED']);
});
