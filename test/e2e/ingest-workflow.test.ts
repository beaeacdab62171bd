/** The workflow `ingest` alone, on a real server: histories that go on, what is carried, what is tried again, what is refused. */
import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { expect, test } from 'vitest';
import type { IngestActivities, IngestResult, IngestStatus } from '../../activities/ingest-contract.js';
import { changeIngestBatch } from '../../workers/index.js';
import { failureOf as errorOf } from '../support/error-code.js';
import { failureOf } from '../support/scripted-activities.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { scripted } from '../support/way.js';

type Step = IngestActivities['writeRecords'];

async function start(ingest: Step) {
  const settings = testSettings();
  await testWorker(settings, scripted({ ingest }));
  const { client } = await testClient(settings);
  const workflowId = `ingest-${randomUUID()}`;
  const input = { table: 'demo.t', source: { kind: 'files', files: ['/log'] }, batchSize: 7 };
  const { taskQueue } = settings;
  await client.workflow.start('ingest', { workflowId, taskQueue, args: [input] });
  const handle = client.workflow.getHandle<() => Promise<IngestResult>>(workflowId);
  return { client, workflowId, handle, input };
}

test('a hundred attempts are one history, and the next one knows what was said and counted', async () => {
  const asked: Parameters<Step>[0][] = [];
  const { handle, workflowId, input } = await start(async (step) => {
    asked.push(step);
    const { client, info } = Context.current();
    const own = client.workflow.getHandle(info.workflowExecution?.workflowId ?? '');
    if (asked.length === 1) void own.executeUpdate('changeBatch', { args: [{ batchIntervalMs: 5 }] });
    if (asked.length === 120) await own.signal('drain');
    return { rows: '3', commits: 1, rejected: { WRONG_TYPE: 2 } };
  });
  const result = await handle.result();
  const { length } = asked;
  expect(result).toEqual({
    table: 'demo.t',
    workflowId,
    delivery: 'exactly-once',
    rows: String(3 * length),
    commits: length,
    rejected: { WRONG_TYPE: 2 * length },
  });
  expect(asked.at(-1)).toEqual({ request: input, batch: { batchIntervalMs: 5 }, until: 'ends' });
  expect(asked.slice(0, -1).every(({ until }) => until === 'stopped')).toBe(true);
  const status = await handle.query<IngestStatus>('status');
  expect(status).toMatchObject({ step: 'done', batchSize: 7, batchIntervalMs: 5, rows: String(3 * length) });
  const { historyLength } = await handle.describe();
  expect(historyLength).toBeLessThan(300);
});

test('what may come right is tried again, when it is drained, too; what is final fails it', async () => {
  let calls = 0;
  const { handle } = await start(async ({ until }) => {
    calls += 1;
    const { client, info } = Context.current();
    if (calls === 1) throw failureOf('STORAGE_UNAVAILABLE');
    if (until === 'stopped') await client.workflow.getHandle(info.workflowExecution?.workflowId ?? '').signal('drain');
    else if (calls === 3) throw failureOf('COMMIT_CONFLICT');
    return { rows: '1', commits: 1, rejected: {} };
  });
  expect(await handle.result()).toMatchObject({ rows: '2', commits: 2 });
  expect(calls).toBe(4);
  const fenced = await start(async () => {
    throw failureOf('SINK_FENCED', true);
  });
  await expect(fenced.handle.result()).rejects.toMatchObject({ cause: { type: 'SINK_FENCED' } });
});

test('batches that are none are refused, and change nothing', async () => {
  const { client, handle, workflowId } = await start(async ({ until }) => {
    if (until === 'ends') return { rows: '1', commits: 1, rejected: {} };
    const timer = setInterval(() => Context.current().heartbeat(), 100);
    await Context.current().cancelled.catch(() => undefined);
    clearInterval(timer);
    return { rows: '1', commits: 1, rejected: {} };
  });
  for (const batch of [{}, { batchSize: 0 }, { batchSize: 1.5 }, { batchIntervalMs: 3_600_001 }, { rows: 5 }]) {
    const error = await errorOf(changeIngestBatch(client, workflowId, batch));
    expect([error.code, error.message]).toEqual(['INVALID_ARGUMENT', expect.stringContaining(JSON.stringify(batch))]);
  }
  expect(await handle.query<IngestStatus>('status')).toMatchObject({ batchSize: 7, batchIntervalMs: 10_000 });
  await handle.signal('pause');
  await handle.signal('drain');
  expect(await handle.result()).toMatchObject({ rows: '2' });
});
