/** The service where a view's online table is dropped while it runs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createMoraine } from '../../../client/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { FeastRegistryFile } from '../../../service/feast-registry-file.js';
import { startService } from '../../../service/index.js';
import { moraine as moraineCommand } from '../../support/cli.js';
import { FeatureLab } from '../../support/feature-lab.js';

const DEFINITIONS = {
  entities: [{ name: 'driver', joinKeys: ['driver_id'] }],
  featureViews: [
    {
      name: 'trips',
      entities: ['driver'],
      source: { table: 'demo.t', timestampField: 'event_ts' },
      features: ['count'],
      online: true,
    },
  ],
};
const STALENESS_MS = 1_000;

async function start() {
  const lab = await FeatureLab.open();
  await lab.createTable('demo.t', { driver_id: 'long', event_ts: 'timestamptz', count: 'long' });
  const row = (driver: number, day: number, count: number) =>
    `SELECT ${driver}::BIGINT AS driver_id, TIMESTAMPTZ '2026-03-0${day} 00:00:00Z' AS event_ts, ${count}::BIGINT AS count`;
  await lab.append('demo.t', row(1, 1, 10));
  lab.define(DEFINITIONS);
  const materialize = () => materializeDirect({ ...lab.deps, catalog: lab.catalog }, { view: 'trips' });
  await materialize();
  const { folder } = lab;
  const config = {
    catalogs: { main: { uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse') } },
    engine: { threads: 2 },
    online: { readTimeoutMs: 60_000 },
    server: { port: 0, queueTimeoutMs: 60_000, maxStalenessMs: STALENESS_MS, groupCommitMs: 0 },
  };
  const moraine = await createMoraine({ config, cwd: folder, fileFolders: [folder] });
  await moraine.apply(DEFINITIONS);
  const service = await startService({ project: moraine.project, version: '1', log: { write: () => undefined } });
  onTestFinished(async () => {
    await service.close();
    await moraine.close();
    await lab.close();
  });
  const post = async (path: string, body: unknown) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${service.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: answer.status, body: (await answer.json()) as Readonly<Record<string, unknown>> };
  };
  const read = () => post('/get-online-features', { entities: { driver_id: [1, 2] }, features: ['trips:count'] });
  const drop = () => lab.catalog.dropTable({ namespace: ['moraine_online'], name: 'trips' });
  return { lab, moraine, row, materialize, drop, post, read, url: service.url };
}

/** The values of the feature and their statuses. */
const counts = (values: readonly unknown[], statuses: readonly string[]) => ({
  status: 200,
  body: { results: [{}, { values, statuses }] },
});
const MISSING = { status: 404, body: { code: 'TABLE_NOT_FOUND', error: expect.stringContaining("'trips'") as string } };

it('a dropped table is answered from decoded rows for a while, then 404, and is served again when it is made anew', async () => {
  const { lab, row, materialize, drop, post, read, url } = await start();
  const old = counts([10, null], ['PRESENT', 'NOT_FOUND']);
  expect(await read()).toMatchObject(old);
  await drop();
  const droppedAtMs = performance.now();
  for (;;) {
    const askedAtMs = performance.now();
    const answer = await read();
    if (answer.status !== 200) {
      expect(answer).toMatchObject(MISSING);
      break;
    }
    expect(answer).toMatchObject(old);
    expect(askedAtMs - droppedAtMs).toBeLessThanOrEqual(STALENESS_MS);
    await sleep(20);
  }
  expect(await read()).toMatchObject(MISSING);
  const ready = await fetch(`${url}/ready`);
  expect(await ready.json()).toMatchObject({ views: [{ name: 'trips', status: 'refused', code: 'TABLE_NOT_FOUND' }] });
  expect((await fetch(`${url}/health`)).status).toBe(200);
  const predictions = { feature_views: ['trips'], entities: [{ driver_id: 1 }] };
  expect(await post('/feast/predictions/batch', predictions)).toMatchObject(MISSING);

  await lab.append('demo.t', row(2, 2, 20));
  await materialize();
  // A look may have found the table before its first commit.
  await expect.poll(read, { timeout: 20_000 }).toMatchObject(counts([10, 20], ['PRESENT', 'PRESENT']));
});

it('a registry file of Feast lacks views whose source tables were dropped, and services with them, until they are back', async () => {
  const lab = await FeatureLab.open();
  const { folder } = lab;
  const columns = { driver_id: 'long', event_ts: 'timestamptz', count: 'long' };
  for (const table of ['demo.t', 'demo.u']) await lab.createTable(table, columns);
  const config = {
    catalogs: { main: { uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse') } },
    engine: { threads: 2 },
    server: { port: 0 },
  };
  const moraine = await createMoraine({ config, cwd: folder, fileFolders: [folder] });
  onTestFinished(async () => {
    await moraine.close();
    await lab.close();
  });
  const [trips] = DEFINITIONS.featureViews;
  const lost = { ...trips, name: 'lost_view', source: { table: 'demo.u', timestampField: 'event_ts' } };
  const service = (name: string, views: readonly string[]) => ({ name, features: views.map((view) => ({ view })) });
  await moraine.apply({
    entities: DEFINITIONS.entities,
    featureViews: [trips, lost],
    featureServices: [service('own', ['trips']), service('lost_service', ['trips', 'lost_view'])],
  });
  await lab.catalog.dropTable({ namespace: ['demo'], name: 'u' });

  const path = join(folder, 'registry.db');
  const names = (file = path) => {
    const content = readFileSync(file, 'latin1');
    return ['trips', 'own', 'lost_view', 'lost_service'].filter((name) => content.includes(name));
  };
  const log: string[] = [];
  const running = await startService({
    ...{ project: moraine.project, version: '1', log: { write: (line) => void log.push(line) } },
    feastRegistry: { path, feastProject: 'p' },
  });
  await running.close();
  expect(names()).toEqual(['trips', 'own']);
  const leftOut = log.flatMap((line) => (line.includes('registry file') ? [JSON.parse(line) as unknown] : []));
  expect(leftOut).toMatchObject([
    { level: 40, kind: 'feature view', name: 'lost_view', reason: expect.stringContaining('demo.u') as string },
    { kind: 'feature service', name: 'lost_service', reason: expect.stringContaining("'lost_view'") as string },
  ]);

  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
  const exported = await moraineCommand(['feast', 'export', join(folder, 'feast'), '--json'], { cwd: folder });
  expect([exported.code, JSON.parse(exported.stdout)]).toMatchObject([
    0,
    {
      ...{ featureViews: 1, featureServices: 1 },
      leftOut: [
        { kind: 'feature view', name: 'lost_view' },
        { kind: 'feature service', name: 'lost_service' },
      ],
    },
  ]);
  expect(exported.stderr).toMatch(
    /^The feature view 'lost_view' is left out: .*demo\.u.*\nThe feature service 'lost_service' is/,
  );
  expect(names(join(folder, 'feast/registry.db'))).toEqual(['trips', 'own']);

  const told: string[] = [];
  const file = await FeastRegistryFile.start({
    ...{ project: moraine.project, path, feastProject: 'p', retryMs: 0 },
    failed: (error) => void told.push(String(error)),
    leftOut: ({ name }) => void told.push(name),
  });
  onTestFinished(() => file.close());
  await lab.createTable('demo.u', columns);
  await expect.poll(() => names(), { timeout: 30_000 }).toEqual(['trips', 'own', 'lost_view', 'lost_service']);
  expect(told).toEqual(['lost_view', 'lost_service']);
});

it('a view that is deleted is in no metric any more, and its rows are in no memory', async () => {
  const { moraine, read, url } = await start();
  expect((await read()).status).toBe(200);
  const figures = async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return text.split('\n').filter((line) => /view="trips"|^moraine_online_cache_parts /.test(line));
  };
  expect((await figures()).map((line) => line.replace(/ .*/, ''))).toEqual([
    'moraine_online_cache_parts',
    ...['files', 'files_per_read', 'rows_per_entity', 'age_seconds'].map(
      (name) => `moraine_online_view_${name}{view="trips"}`,
    ),
  ]);
  await moraine.apply({ entities: DEFINITIONS.entities }, { prune: true });
  await expect.poll(read, { timeout: 20_000 }).toMatchObject({ status: 404, body: { code: 'FEATURE_VIEW_NOT_FOUND' } });
  await expect.poll(figures, { timeout: 20_000 }).toEqual(['moraine_online_cache_parts 0']);
});

it('a write to a dropped table makes it anew, with its own rows only', async () => {
  const { drop, post, read } = await start();
  expect((await read()).status).toBe(200);
  await drop();
  const df = { driver_id: [2], event_timestamp: ['2026-03-03T00:00:00'], created: ['2026-03-03T00:00:00'], count: [5] };
  expect(await post('/write-to-online-store', { feature_view_name: 'trips', df })).toMatchObject({ status: 200 });
  expect(await read()).toMatchObject(counts([null, 5], ['NOT_FOUND', 'PRESENT']));
});
