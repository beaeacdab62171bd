/** What is asked of workflows while no worker is there, on a real server. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { changeBackfillConcurrency, changeIngestBatch, ingestStatus } from '../../workers/index.js';
import { failureOf } from '../support/error-code.js';
import { testClient, testSettings } from '../support/temporal.js';

test('a change is an error after ten seconds, and the status of an ingest is what it has noted last', async () => {
  const { taskQueue, ...settings } = testSettings();
  const { client } = await testClient({ ...settings, taskQueue });
  const [backfill, ingest, silent] = ['backfill', 'ingest', 'silent'].map((name) => `${name}-${randomUUID()}`) as [
    string,
    string,
    string,
  ];
  const progress = { step: 'running', table: 'demo.t', name: 'files', rows: '7' };
  await client.workflow.start('backfillRun', { workflowId: backfill, taskQueue, args: [{}] });
  await client.workflow.start('ingest', { workflowId: ingest, taskQueue, args: [{}], memo: { progress } });
  await client.workflow.start('ingest', { workflowId: silent, taskQueue, args: [{}] });
  const [status, ...errors] = await Promise.all([
    ingestStatus(client, ingest),
    failureOf(ingestStatus(client, silent)),
    failureOf(changeBackfillConcurrency(client, backfill, 4)),
    failureOf(changeIngestBatch(client, ingest, { batchSize: 5 })),
  ]);
  expect(status).toEqual(progress);
  expect(errors.map(({ code, message }) => [code, message])).toEqual(
    [silent, backfill, ingest].map((id) => [
      'TASK_QUEUE_UNPOLLED',
      `no worker has answered for ${id} within 10 s; it may hear this once one is there`,
    ]),
  );
});
