/** Answers of the HTTP service for feature services are logged as they were given, beside the reads. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { registerDefinitions } from '../../client/index.js';
import { NO_DEFINITIONS } from '../../features/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { lockCatalog } from '../support/locked-catalog.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';
import { SmallProject } from '../support/small-project.js';

interface Served {
  readonly small: SmallProject;
  readonly service: ServiceProcess;
}

/** Sensor 7's newest of a thousand readings of 100 sensors, and when it was read, in microseconds. */
const NEWEST = [907, 907_000_000n];

async function start(server: string): Promise<Served> {
  const config = `catalogs: { local: { uri: catalog.db, warehouse: warehouse } }
engine: { memoryLimit: 500MB, threads: 2, tempDirectory: tmp }
online: { readTimeoutMs: 60000 }
server: { queueTimeoutMs: 60000, logFeatures: { heating: {}, cooling: { sampleRate: 0 }, warming: {} }, ${server} }
`;
  const small = await SmallProject.create({ view: 'readings', config });
  await small.append(1000);
  const services = ['heating', 'cooling', 'other'].map(
    (name) => [name, { name, features: [{ view: 'readings' }] }] as const,
  );
  await registerDefinitions(small.project, { ...NO_DEFINITIONS, featureServices: new Map(services) });
  await materializeDirect(await materializationDeps(small.project), { view: 'readings' });
  return { small, service: await startServiceProcess(small.folder) };
}

async function ask({ url }: ServiceProcess, what: object, sensor: readonly (number | null)[]) {
  const answer = await fetch(`${url}/get-online-features`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...what, entities: { sensor } }),
  });
  const { results } = (await answer.json()) as { readonly results: readonly object[] };
  return { status: answer.status, reading: results[1], snapshots: answer.headers.get('moraine-snapshots') };
}

const metrics = async ({ url }: ServiceProcess): Promise<readonly string[]> =>
  (await (await fetch(`${url}/metrics`)).text()).split('\n').filter((line) => line.startsWith('moraine_feature_log'));

/** What the log has of its rows, by their sensors. */
async function logged(small: SmallProject, columns: string): Promise<unknown[][]> {
  const table = await small.project.loadTable('moraine_logs.heating_log');
  return await small.query(table, `SELECT ${columns} FROM rows ORDER BY sensor NULLS LAST`);
}

const VALUES = `sensor, readings__reading, epoch_us(readings__reading__timestamp), readings__reading__status`;

test('the answers of a sampled service are in its log when the service has ended, exactly', async () => {
  const { small, service } = await start('');
  const from = BigInt(Date.now()) * 1000n;
  const answer = await ask(service, { feature_service: 'heating' }, [7, 1000, null]);
  const to = BigInt(Date.now()) * 1000n;
  expect(answer).toMatchObject({
    status: 200,
    reading: { values: [907, null, null], statuses: ['PRESENT', 'NOT_FOUND', 'NOT_FOUND'] },
  });
  for (const what of [{ feature_service: 'cooling' }, { feature_service: 'other' }, { features: ['readings:reading'] }])
    expect((await ask(service, what, [8])).status).toBe(200);
  expect((await fetch(`${service.url}/get-online-features`, { method: 'POST' })).status).toBe(400);
  expect(await metrics(service)).toEqual([
    'moraine_feature_log_rows_total{service="heating",outcome="written"} 0',
    'moraine_feature_log_rows_total{service="heating",outcome="dropped"} 0',
    'moraine_feature_log_rows_total{service="heating",outcome="failed"} 0',
    'moraine_feature_log_rows_total{service="cooling",outcome="written"} 0',
    'moraine_feature_log_rows_total{service="cooling",outcome="dropped"} 0',
    'moraine_feature_log_rows_total{service="cooling",outcome="failed"} 0',
    'moraine_feature_log_rows_total{service="warming",outcome="written"} 0',
    'moraine_feature_log_rows_total{service="warming",outcome="dropped"} 0',
    'moraine_feature_log_rows_total{service="warming",outcome="failed"} 0',
    'moraine_feature_log_buffered_rows{service="heating"} 3',
    'moraine_feature_log_buffered_rows{service="cooling"} 0',
    'moraine_feature_log_buffered_rows{service="warming"} 0',
  ]);
  expect(await service.stop()).toBe(0);
  const warned = service.log().match(/.*server\.logFeatures names .*/g) ?? [];
  expect(warned.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ level: 40, service: 'warming' }]);

  expect(await logged(small, VALUES)).toEqual([
    [7n, ...NEWEST, 'PRESENT'],
    [1000n, null, null, 'NOT_FOUND'],
    [null, null, null, 'NOT_FOUND'],
  ]);
  const times = 'epoch_us(event_timestamp), epoch_us(__log_timestamp), __request_id, __snapshot_id__readings';
  const requests = await logged(small, times);
  expect(new Set(requests.map(String)).size).toBe(1);
  const [[at, loggedAt, , snapshot] = []] = requests as [bigint, bigint, string, bigint][];
  expect(at).toBeGreaterThanOrEqual(from);
  expect(loggedAt).toBeGreaterThanOrEqual(at ?? 0n);
  expect(loggedAt).toBeLessThanOrEqual(to);
  expect(answer.snapshots?.split(';')[0]).toBe(`readings=${snapshot}`);
  await expect(small.project.loadTable('moraine_logs.cooling_log')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' });
  await expect(small.project.loadTable('moraine_logs.other_log')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' });
});

test('reads go on while the catalog of the log is away, and what they answered is written once it is back', async () => {
  const { small, service } = await start('maxStalenessMs: 3600000');
  await ask(service, { feature_service: 'heating' }, [6]);
  const unlock = lockCatalog(small.folder);
  const answer = await ask(service, { feature_service: 'heating' }, [7]);
  expect(answer).toMatchObject({ status: 200, reading: { values: [907] } });
  const ended = service.stop();
  await sleep(500);
  unlock();
  expect(await ended).toBe(0);
  expect(await logged(small, 'sensor, readings__reading')).toEqual([
    [6n, 906],
    [7n, 907],
  ]);
});

test('a log that cannot be written does not keep the service from ending', async () => {
  const { small, service } = await start('maxStalenessMs: 3600000, shutdownTimeoutMs: 1500');
  await ask(service, { feature_service: 'heating' }, [7]);
  const unlock = lockCatalog(small.folder);
  expect(await service.stop()).toBe(0);
  expect(service.log()).toContain('served features are lost');
  unlock();
  await expect(small.project.loadTable('moraine_logs.heating_log')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' });
});
