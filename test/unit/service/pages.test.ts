/** Pages and paths of the service as programs ask for them; what people see of them is tested in Chromium. */
import dns, { type LookupAddress } from 'node:dns';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createApiKey, startService } from '../../../service/index.js';
import { timeOf } from '../../../service/pages/parts.js';
import { listOfRuns } from '../../../service/pages/runs-page.js';
import { FeatureLab } from '../../support/feature-lab.js';
import { type LabService, startLabService } from '../../support/lab-service.js';
import { lockCatalog } from '../../support/locked-catalog.js';

/** As long as a name may be. */
const LONG = `trips_${'x'.repeat(122)}`;
/** Nothing limits names of tables but catalogs and file systems. */
const LONG_TABLE = `demo.${'t'.repeat(150)}`;

let lab: FeatureLab;
let service: LabService;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable(LONG_TABLE, { driver_id: 'long', event_ts: 'timestamptz', count: 'long' });
  service = await startLabService(lab);
  await service.moraine.apply({
    entities: [{ name: 'driver', joinKeys: ['driver_id'] }],
    featureViews: [
      { name: LONG, entities: ['driver'], source: { table: LONG_TABLE, timestampField: 'event_ts' }, online: true },
    ],
  });
});
afterAll(async () => {
  await service.close();
  await lab.close();
});

async function ask(path: string, init: RequestInit = {}): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${service.service.url}${path}`, { redirect: 'manual', ...init });
  return { status: answer.status, text: await answer.text() };
}

describe('a long name', () => {
  it('has a page, of a view and of a table', async () => {
    const view = await ask(`/ui/views/${LONG}`);
    expect([view.status, view.text]).toEqual([200, expect.stringContaining(LONG_TABLE)]);
    const none = await ask(`/ui/tables/moraine_online.${'y'.repeat(3_000)}`);
    expect([none.status, none.text]).toEqual([404, expect.stringContaining('TABLE_NOT_FOUND')]);
  });

  it('is one of the paths of files', async () => {
    const path = `/tables/demo/${'t'.repeat(150)}/files`;
    const posted = await fetch(`${service.service.url}${path}`, { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const wrong = await ask(`${path}?snapshot=none`);
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining("The query's snapshot")]);
  });
});

describe('what is no form', () => {
  it('is refused by pages that take forms, and a request without a body has no key', async () => {
    const keys = `${lab.folder}/keys.json`;
    await createApiKey(keys, 'first', ['read']);
    const guarded = await startLabService(lab, { keys });
    const { url } = guarded.service;
    const json = { 'content-type': 'application/json' };
    const statusOf = async (address: string, init: RequestInit) =>
      (await fetch(address, { method: 'POST', redirect: 'manual', ...init })).status;
    expect(await statusOf(`${url}/ui/login`, { headers: json, body: '{}' })).toBe(415);
    expect(await statusOf(`${url}/ui/login`, {})).toBe(401);
    expect(await statusOf(`${url}/ui/logout`, {})).toBe(303);
    await guarded.close();
    for (const body of ['{}', 'null', '[1]']) {
      const answer = await ask(`/ui/entity?view=${LONG}`, { method: 'POST', headers: json, body });
      expect([body, answer.status, answer.text]).toEqual([body, 415, expect.stringContaining('x-www-form-urlencoded')]);
    }
  });
});

describe('an entity', () => {
  it('is answered on its page as by the API while the catalog does not answer', async () => {
    const { moraine } = service;
    const row = { driver_id: 7, event_timestamp: '2026-03-01T00:00:00Z', count: 1234 };
    await moraine.onlineWriteBatch({ view: LONG, rows: [row] });
    const knowing = await startLabService(lab, { maxStalenessMs: 600_000 });
    onTestFinished(() => knowing.close());
    const { url } = knowing.service;
    const api = (): Promise<number> =>
      knowing
        .post('/get-online-features', { entities: { driver_id: [7] }, features: [`${LONG}:count`] })
        .then(({ status }) => status);
    expect(await api()).toBe(200);
    const unlock = lockCatalog(lab.folder);
    const page = await fetch(`${url}/ui/entity?view=${LONG}`, {
      method: 'POST',
      body: new URLSearchParams({ 'key.driver_id': '7' }),
    });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<span class="value">1234</span>')]);
    expect(await api()).toBe(200);
    unlock();
  });
});

describe('a request', () => {
  const json = { 'content-type': 'application/json' };
  it('is refused if its body is JSON and its query says what the body should say', async () => {
    const body = JSON.stringify({ entities: { driver_id: [1], event_timestamp: ['2026-03-01'] }, features: [LONG] });
    const path = '/get-historical-features?as_of=2026-01-01';
    const answer = await ask(path, { method: 'POST', headers: json, body });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("The query has 'as_of', which is for")]);
  });

  it('is told the place of a mistake by its name, whatever characters it has', async () => {
    const answer = await ask('/write-to-online-store', {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ feature_view_name: LONG, df: { 'a/b~c': 1 } }),
    });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("The body's df.a/b~c must be array.")]);
  });
});

it('links runs to views and tables that have pages, and to no others', () => {
  const run = (of: { readonly view?: string; readonly table?: string }) => ({
    ...{ workflowId: 'w', runId: 'r', workflow: 'compact', status: 'COMPLETED', url: 'http://t/w' },
    ...{ startedAt: '2026-03-01T00:00:00.000Z', endedAt: null, elapsedMs: 1, step: null, view: null, table: null },
    ...of,
  });
  const runs = [{ view: 'trips' }, { view: 'gone' }, { table: 'demo.t' }, { table: 'demo.other' }].map(run);
  const { text } = listOfRuns(runs, { views: new Set(['trips']), tables: new Set(['demo.t']) });
  const links = [...text.matchAll(/<a href="(\/[^"]*)">/g)].map(([, path]) => path);
  expect(links).toEqual(['/ui/views/trips', '/ui/tables/demo.t']);
  for (const name of ['gone', 'demo.other']) expect(text).toContain(`data-name="Of">${name}</td>`);
});

describe('times beyond the years of a Date', () => {
  // The first and the last of 64 bits, as NumPy's datetime64[us] and PostgreSQL have them.
  it.each([
    [-(2n ** 63n), '-290308-12-21T19:59:05.224192Z', '-290308-12-21 19:59:05'],
    [2n ** 63n - 1n, '+294247-01-10T04:00:54.775807Z', '+294247-01-10 04:00:54'],
    [-62_198_755_200_000_000n, '-000001-01-01T00:00:00.000Z', '-000001-01-01 00:00:00'],
  ])('%s', (us, iso, shown) => {
    expect(timeOf(us, 0).text).toMatch(
      new RegExp(`^<time datetime="${iso.replace('+', '\\+')}">${shown.replace('+', '\\+')}</time>`),
    );
  });
});

/** Has the resolver say where localhost is, for as long as a service starts. */
async function startAtLocalhost(addresses: readonly LookupAddress[]) {
  const lookup = (host: string, ...rest: readonly unknown[]): void => {
    const done = rest.at(-1) as (error: null, ...found: readonly unknown[]) => void;
    const [first] = addresses;
    if ((rest[0] as { readonly all?: boolean }).all === true) done(null, addresses);
    else if (host === 'localhost') done(null, first?.address, first?.family);
    else done(null, host, host === '::1' ? 6 : 4);
  };
  const spy = vi.spyOn(dns, 'lookup').mockImplementation(lookup);
  onTestFinished(() => spy.mockRestore());
  const { project } = service.moraine;
  const log = { write: () => undefined };
  const started = await startService({ project, version: '', host: 'localhost', port: 0, log });
  spy.mockRestore();
  onTestFinished(() => started.close());
  const { port } = new URL(started.url);
  expect(started.url).toBe(`http://localhost:${port}`);
  return port;
}

it('listens at one address of localhost, which its certificate and its end are for', async () => {
  const port = await startAtLocalhost([
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ]);
  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
  await expect(fetch(`http://[::1]:${port}/health`)).rejects.toThrow('fetch failed');
});

const hasIpv6 = Object.values(networkInterfaces()).some((found) => found?.some(({ address }) => address === '::1'));
if (hasIpv6)
  it('listens where localhost is, if it has no address of IPv4', async () => {
    const port = await startAtLocalhost([{ address: '::1', family: 6 }]);
    expect((await fetch(`http://[::1]:${port}/health`)).status).toBe(200);
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow('fetch failed');
  });
