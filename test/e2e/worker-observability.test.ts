/** A real worker process, seen from outside while it materializes: health, readiness, metrics and the trace of the run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectClient, startMaterialization, waitForRun } from '../../workers/index.js';
import { moraine } from '../support/cli.js';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.js';
import { SmallProject } from '../support/small-project.js';
import { lastingFolder } from '../support/temp-folder.js';
import { testSettings } from '../support/temporal.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const folder = lastingFolder();
const settings = testSettings();
const { taskQueue } = settings;
let receiver: OtlpReceiver;
let worker: WorkerProcess;
let small: SmallProject;
let url: string;

/** `client` of this process is traced, too: the environment says so when it connects. */
async function materializeOnce(): Promise<void> {
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = receiver.endpoint;
  const temporal = await connectClient(settings);
  const run = await startMaterialization(temporal, settings, { view: small.view });
  expect(await waitForRun(temporal.client, run)).toMatchObject({ rows: '100' });
  await temporal.close();
}

async function page(path: string, status = 200): Promise<string> {
  const response = await fetch(`${url}${path}`);
  expect(response.status).toBe(status);
  return response.text();
}

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  small = await SmallProject.createIn(folder.path);
  await small.append(300);
  const environment = {
    TEMPORAL_ADDRESS: settings.address,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '200',
  };
  const args = ['worker', '--task-queue', taskQueue, '--health', '127.0.0.1:0'];
  worker = await startWorkerProcess(folder.path, args, environment);
  url = /health (http:\S+)\/healthz/.exec(worker.errors())?.[1] ?? '';
  await materializeOnce();
});

afterAll(async () => {
  worker.kill('SIGTERM');
  await worker.ended;
  await small.project.close();
  await receiver.close();
  folder.remove();
});

describe('health', () => {
  test('lives, with how late its event loop was', async () => {
    expect(JSON.parse(await page('/healthz'))).toEqual({
      status: 'ok',
      uptimeSeconds: expect.any(Number) as number,
      eventLoop: { maxDelayMs: expect.any(Number) as number },
    });
  });

  test('is ready: polls its task queues, and the server answers', async () => {
    expect(JSON.parse(await page('/readyz'))).toEqual({
      status: 'ready',
      server: settings.address,
      problems: [],
      taskQueues: [
        { name: taskQueue, state: 'running', workflowTasks: 0, activities: 0 },
        { name: `${taskQueue}-heavy`, state: 'running', workflowTasks: 0, activities: 0 },
        { name: `${taskQueue}-backfill`, state: 'running', workflowTasks: 0, activities: 0 },
        { name: `${taskQueue}-ingest`, state: 'running', workflowTasks: 0, activities: 0 },
      ],
    });
  });

  test('has no other page, and changes nothing', async () => {
    await page('/', 404);
    expect((await fetch(`${url}/healthz`, { method: 'POST' })).status).toBe(405);
  });
});

describe('metrics', () => {
  test('count what the run did: rows, commits, steps, statements, and what the SDK counts', async () => {
    const metrics = await page('/metrics');
    expect(metrics).toContain('moraine_rows_written_total{activity="extractShard"} 100\n');
    expect(metrics).toMatch(/moraine_bytes_written_total\{activity="extractShard"\} [1-9]/);
    expect(metrics).toMatch(/moraine_commits_total\{outcome="committed"\} [1-9]/);
    for (const activity of ['planMaterialization', 'extractShard', 'commitMaterialization']) {
      const labels = `activity="${activity}",outcome="completed"`;
      expect(metrics).toContain(`moraine_activity_duration_seconds_count{${labels}} 1\n`);
    }
    expect(metrics).toMatch(/moraine_statement_duration_seconds_count\{statement="COPY"\} [1-9]/);
    expect(metrics).toMatch(/moraine_engine_bytes\{kind="limit"\} 4[0-9]{8}\n/);
    expect(metrics).toMatch(/moraine_engine_bytes\{kind="memory"\} \d+\n/);
    expect(metrics).toMatch(/nodejs_eventloop_lag_p99_seconds /);
    expect(metrics).toMatch(/temporal_workflow_completed_total\{.*workflow_type="materializeRun".*\} 1\n/);
  });
});

describe('traces', () => {
  test('one trace connects the client, the workflow, its activities and their statements', async () => {
    const run = await traceWith('SignalWithStartWorkflow:materializeRun');
    const names = new Set(run.map(({ name }) => name));
    for (const activity of ['planMaterialization', 'extractShard', 'commitMaterialization']) {
      expect(names).toContain(`StartActivity:${activity}`);
      expect(names).toContain(`RunActivity:${activity}`);
    }
    const copy = run.find(({ name }) => name === 'duckdb COPY');
    expect(pathToRoot(run, copy)).toEqual([
      'duckdb COPY',
      'RunActivity:extractShard',
      'StartActivity:extractShard',
      'RunWorkflow:materializeRun',
      'SignalWithStartWorkflow:materializeRun',
    ]);
    expect(copy?.attributes).toContainEqual({ key: 'db.operation.name', value: { stringValue: 'COPY' } });
  });

  test('shows no text of statements, and so no value of a row and no path', () => {
    const text = receiver.bodies.join('\n');
    expect(text).not.toContain('read_parquet');
    expect(text).not.toContain(folder.path);
  });
});

/** The spans of the trace in which a span of this name is, once that of the workflow has come. */
async function traceWith(name: string): Promise<readonly ReceivedSpan[]> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { traceId } = receiver.spans.find((span) => span.name === name) ?? {};
    const spans = receiver.spans.filter((span) => span.traceId === traceId);
    if (spans.some((span) => span.name === 'RunWorkflow:materializeRun')) return spans;
    await sleep(100);
  }
  throw new Error(`no whole trace: ${receiver.spans.map((span) => span.name).join(', ')}`);
}

/** Names from a span up to the root of its trace. */
function pathToRoot(spans: readonly ReceivedSpan[], span: ReceivedSpan | undefined): string[] {
  if (span === undefined) return [];
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return [span.name, ...pathToRoot(spans, parent)];
}

describe('moraine worker refuses', () => {
  test.each([[['--roles', 'light,plan'], 'the roles are workflows, light, heavy']])('%j', async (args, message) => {
    const result = await moraine(['worker', ...args], { cwd: folder.path });
    expect(result.code).toBe(2);
    expect(result.stderr).toContain(message);
  });
});
