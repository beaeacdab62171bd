/** OpenTelemetry of `moraine serve`: the spans of its requests at a collector, and their ids in its log. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.js';
import { projectRoot } from '../support/paths.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';
import { SmallProject } from '../support/small-project.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;
const QUESTION = { features: ['readings:reading'], entities: { sensor: [7] } };
const [SERVER, ERROR] = [2, 2];

beforeEach(() => void vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', undefined));
afterEach(() => void vi.unstubAllEnvs());

const CONFIG = `catalogs: { local: { uri: catalog.db, warehouse: warehouse } }
engine: { memoryLimit: 500MB, threads: 2, tempDirectory: tmp }
server: { groupCommitMs: 1500 }
`;

async function createProject(): Promise<SmallProject> {
  const small = await SmallProject.create({ view: 'readings', config: CONFIG });
  await small.append(100);
  await materializeDirect(await materializationDeps(small.project), { view: 'readings' });
  return small;
}

async function startCollector(): Promise<OtlpReceiver> {
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.close());
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.endpoint);
  // Nothing is sent before the service ends.
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '600000');
  return receiver;
}

async function ask({ url }: ServiceProcess, path: string, body?: unknown): Promise<number> {
  const json = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const headers = { traceparent: TRACEPARENT, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const answer = await fetch(`${url}${path}`, { ...json, headers });
  await answer.arrayBuffer();
  return answer.status;
}

const attributesOf = ({ attributes }: ReceivedSpan): object =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

const requestSpans = (spans: readonly ReceivedSpan[]): readonly ReceivedSpan[] =>
  spans.filter(({ kind }) => kind === SERVER);

test('each request is a span below its caller, sent when the service ends', async () => {
  const { folder } = await createProject();
  const receiver = await startCollector();
  const service = await startServiceProcess(folder);
  expect(await ask(service, '/get-online-features', QUESTION)).toBe(200);
  expect(await ask(service, '/tables/demo/none/files?snapshot=12345678987654321')).toBe(404);
  expect(await ask(service, '/nowhere')).toBe(404);
  expect(await ask(service, '/materialize-incremental', { end_ts: '2030-01-01T00:00:00Z' })).toBe(503);
  expect(requestSpans(receiver.spans)).toEqual([]);
  expect(await service.stop()).toBe(0);

  const common = { 'url.scheme': 'http', 'network.protocol.version': '1.1' };
  const spans = requestSpans(receiver.spans);
  expect(spans.map((span) => [span.name, span.status.code, attributesOf(span)])).toEqual([
    [
      'POST /get-online-features',
      0,
      {
        'http.request.method': 'POST',
        'http.route': '/get-online-features',
        'url.path': '/get-online-features',
        ...common,
        'http.response.status_code': 200,
      },
    ],
    [
      'GET /tables/:namespace/:table/files',
      0,
      {
        'http.request.method': 'GET',
        'http.route': '/tables/:namespace/:table/files',
        'url.path': '/tables/demo/none/files',
        ...common,
        'http.response.status_code': 404,
      },
    ],
    ['GET', 0, { 'http.request.method': 'GET', 'url.path': '/nowhere', ...common, 'http.response.status_code': 404 }],
    [
      'POST /materialize-incremental',
      ERROR,
      {
        'http.request.method': 'POST',
        'http.route': '/materialize-incremental',
        'url.path': '/materialize-incremental',
        ...common,
        'http.response.status_code': 503,
        'error.type': 'TEMPORAL_UNAVAILABLE',
      },
    ],
  ]);
  expect(spans.map(({ traceId, parentSpanId }) => [traceId, parentSpanId])).toEqual(spans.map(() => [TRACE, PARENT]));
  expect(receiver.bodies.join()).not.toContain('12345678987654321');

  const entries = service
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const logged = entries.filter((entry) => 'code' in entry);
  expect(logged.map(({ trace_id, span_id, status }) => [trace_id, span_id, status])).toEqual([
    [TRACE, spans[1]?.spanId, 404],
    [TRACE, spans[2]?.spanId, 404],
    [TRACE, spans[3]?.spanId, 503],
  ]);
});

/** The names of the spans from a span up to the request that it is for. */
function pathOf(spans: readonly ReceivedSpan[], { name, parentSpanId }: ReceivedSpan): readonly string[] {
  const parent = spans.find(({ spanId }) => spanId === parentSpanId);
  return [name, ...(parent === undefined ? [] : pathOf(spans, parent))];
}

const pathsOf = (spans: readonly ReceivedSpan[], name: string): readonly (readonly string[])[] =>
  spans.filter((span) => span.name === name).map((span) => pathOf(spans, span));

test('statements of a write are below its group commit, those of a cold read below the decoding of its rows', async () => {
  const { folder } = await createProject();
  const receiver = await startCollector();
  const service = await startServiceProcess(folder);
  expect(await ask(service, '/get-online-features', QUESTION)).toBe(200);
  // Its rows are in memory.
  expect(await ask(service, '/get-online-features', QUESTION)).toBe(200);
  const write = {
    feature_view_name: 'readings',
    df: { sensor: [7], event_timestamp: ['2020-01-01T00:00:00'], reading: [0.25] },
  };
  expect(await ask(service, '/write-to-online-store', write)).toBe(200);
  expect(await service.stop()).toBe(0);
  const { spans } = receiver;
  expect(pathsOf(spans, 'duckdb COPY')).toEqual([['duckdb COPY', 'group commit', 'POST /write-to-online-store']]);
  const decodings = spans.filter(({ name }) => name === 'decode rows');
  const [read] = requestSpans(spans);
  expect(
    decodings.map((span) => [span.parentSpanId, span.links?.map(({ spanId }) => spanId), attributesOf(span)]),
  ).toEqual([[read?.spanId, [read?.spanId], { 'moraine.view': 'readings', 'moraine.decode.parts': 1 }]]);
  const selects = spans.filter(({ parentSpanId }) => parentSpanId === decodings[0]?.spanId);
  expect(selects.map(({ name }) => name)).toContain('duckdb SELECT');
  // Nothing that no request waits for is in its trace: the merging of the written row, for one.
  expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toEqual([]);
});

test('the process of a retrieval is a span below its request, with its statements below it', async () => {
  const { folder } = await createProject();
  const receiver = await startCollector();
  const service = await startServiceProcess(folder);
  const entities = { sensor: [7], event_timestamp: ['2030-01-01T00:00:00Z'] };
  expect(await ask(service, '/get-historical-features', { entities, features: ['readings'] })).toBe(200);
  expect(await ask(service, '/get-historical-features', { entities, features: ['reading'] })).toBe(404);
  expect(await service.stop()).toBe(0);
  const processes = receiver.spans.filter(({ name }) => name === 'offline process');
  expect(processes.map((span) => [pathOf(receiver.spans, span), span.status.code, attributesOf(span)])).toEqual([
    [['offline process', 'POST /get-historical-features'], 0, { 'moraine.work': 'historical' }],
    [
      ['offline process', 'POST /get-historical-features'],
      ERROR,
      { 'moraine.work': 'historical', 'error.type': 'FEATURE_VIEW_NOT_FOUND' },
    ],
  ]);
  const up = ['offline work', 'offline process', 'POST /get-historical-features'];
  expect(pathsOf(receiver.spans, 'offline work')).toEqual([up, up]);
  const statements = receiver.spans.filter(({ name }) => name.startsWith('duckdb '));
  const paths = statements.map((span) => pathOf(receiver.spans, span));
  expect(paths).toContainEqual(['duckdb SELECT', ...up]);
  for (const path of paths) expect(path.slice(1)).toEqual(up);
});

test('a group commit is a span below its first write, and linked to each', async () => {
  const { folder } = await createProject();
  const receiver = await startCollector();
  const service = await startServiceProcess(folder);
  const write = (sensor: number): Promise<number> =>
    ask(service, '/write-to-online-store', {
      feature_view_name: 'readings',
      df: { sensor: [sensor], event_timestamp: ['2020-01-01T00:00:00'], reading: [0.25] },
    });
  expect(await Promise.all([write(7), write(8), write(9)])).toEqual([200, 200, 200]);
  expect(await service.stop()).toBe(0);
  const requests = requestSpans(receiver.spans).map(({ spanId }) => spanId);
  const groups = receiver.spans.filter(({ name }) => name === 'group commit');
  expect(groups.map((span) => [span.kind, span.status.code, attributesOf(span)])).toEqual([
    [1, 0, { 'moraine.view': 'readings', 'moraine.group.writes': 3 }],
  ]);
  const [{ links = [], parentSpanId } = {}] = groups;
  const linked = links.map(({ spanId }) => spanId);
  expect(new Set(linked)).toEqual(new Set(requests));
  expect(linked).toHaveLength(3);
  expect(parentSpanId).toBe(linked[0]);
});

test('a collector that does not answer does not hold up the end', async () => {
  const sockets: Socket[] = [];
  const dead = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  await once(dead, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    dead.close();
  });
  const address = dead.address() as { readonly port: number };
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${address.port}`);
  for (const limit of ['OTEL_EXPORTER_OTLP_TIMEOUT', 'OTEL_BSP_EXPORT_TIMEOUT']) vi.stubEnv(limit, '600000');
  const { folder } = await createProject();
  const service = await startServiceProcess(folder);
  expect(await ask(service, '/health')).toBe(200);
  expect(await service.stop()).toBe(0);
  expect(sockets).toHaveLength(1);
  expect(service.log()).toContain('"msg":"the last spans were not sent"');
});

test('nothing of OpenTelemetry is loaded unless a collector is named', async () => {
  const { folder } = await createProject();
  vi.stubEnv('NODE_OPTIONS', `--import=${pathToFileURL(join(projectRoot, 'test/support/list-loaded.mjs')).href}`);
  const packages = async (): Promise<readonly string[]> => {
    const service = await startServiceProcess(folder);
    expect(await ask(service, '/get-online-features', QUESTION)).toBe(200);
    await service.stop();
    const loaded = JSON.parse(service.log().trim().split('\n').at(-1) as string) as string[];
    const named = loaded.flatMap((file) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
    return [...new Set(named)].filter((name) => /^(prom-client$|@opentelemetry\/)/.test(name)).sort();
  };
  // The library of metrics loads the interfaces, which do nothing by themselves.
  expect(await packages()).toEqual(['@opentelemetry/api', 'prom-client']);
  await startCollector();
  expect(await packages()).toEqual(
    expect.arrayContaining(['@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/sdk-trace-node']),
  );
});
