/** Limits of `moraine serve` as its clients see them, in a process of its own. */
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { lockCatalog } from '../support/locked-catalog.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';
import { SmallProject } from '../support/small-project.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

async function start(settings: string): Promise<{ readonly folder: string; readonly service: ServiceProcess }> {
  const config = `catalogs: { local: { uri: catalog.db, warehouse: warehouse } }
engine: { memoryLimit: 500MB, threads: 2, tempDirectory: tmp }
${settings}
`;
  const small = await SmallProject.create({ view: 'readings', config });
  await small.append(1000);
  await materializeDirect(await materializationDeps(small.project), { view: 'readings' });
  return { folder: small.folder, service: await startServiceProcess(small.folder) };
}

/** Reads the newest reading of a sensor, which is 900 more than its number. */
async function read({ url }: ServiceProcess, sensor: number, agent: Agent): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const request = httpRequest(`${url}/get-online-features`, { method: 'POST', headers, agent });
  request.end(JSON.stringify({ features: ['readings:reading'], entities: { sensor: [sensor] } }));
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: JSON.parse(await text(answer)) as unknown };
}

function connections(maxSockets: number): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets });
  onTestFinished(() => agent.destroy());
  return agent;
}

/** A statement may take long beside other work; what waits for its turn takes longer than this, and must not count. */
const LITTLE = 'online: { cache: { maxSize: 4KiB }, readTimeoutMs: 500 }';

test.each([
  [1_000, ''],
  [1_000, LITTLE],
  [32, LITTLE],
])('a thousand reads at once over %d connections are answered or shed %s', async (count, settings) => {
  const { service } = await start(settings);
  const agent = connections(count);
  await read(service, 1, agent);
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, k) => read(service, k % 100, agent)));
  const outcomes = answers.map(({ status, headers, body }, k) => {
    if (status !== 200) return [status, headers['retry-after'], (body as { readonly code: string }).code].join(' ');
    const { results } = body as { readonly results: readonly { readonly values: readonly unknown[] }[] };
    return results[1]?.values[0] === 900 + (k % 100) ? 'right' : JSON.stringify(body);
  });
  expect(outcomes).toContain('right');
  expect([...new Set(outcomes)].filter((outcome) => outcome !== 'right' && outcome !== '429 1 OVERLOADED')).toEqual([]);
});

test('a read that takes longer than readTimeoutMs is answered with 504', async () => {
  const { folder, service } = await start('online: { readTimeoutMs: 300 }\nserver: { maxStalenessMs: 0 }');
  const agent = connections(1);
  expect((await read(service, 1, agent)).status).toBe(200);
  lockCatalog(folder);
  const { status, headers, body } = await read(service, 1, agent);
  expect([status, headers['retry-after']]).toEqual([504, undefined]);
  expect(body).toEqual({
    error: expect.stringContaining('300 ms') as string,
    code: 'TIMED_OUT',
    remedy: expect.stringMatching(/^[A-Z].*\.$/) as string,
  });
});
