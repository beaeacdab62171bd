/**
 * Feast's unmodified client materializes (`materialize`, `materialize_incremental`) through `moraine serve`, which starts the runs on Temporal, and
 * reads what they have written. Expected values are worked out by hand.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Activities } from '../../activities/contract.js';
import { createMoraine } from '../../client/index.js';
import { createActivities } from '../../workers/index.js';
import { FeastSession } from '../support/feast-session.js';
import { gate } from '../support/gate.js';
import { describeInterop } from '../support/python.js';
import { startServiceProcess } from '../support/service-process.js';
import { SideBySide } from '../support/side-by-side.js';
import { testSettings, testWorker } from '../support/temporal.js';

/** Entity, event time, value. */
const ROWS = [
  [1, '2026-01-01T00:00:00Z', 10],
  [1, '2026-01-02T00:00:00Z', 20],
  [1, '2026-01-02T00:00:00.000001Z', 30],
  [1, '2026-01-03T00:00:00Z', 40],
  [1, '2026-01-04T00:00:00Z', 50],
  [2, '2025-12-31T23:59:59.999999Z', 5],
] as const;
const MISSING = ['NoneType', 'None', 'NOT_FOUND'];
const present = (value: number) => ['float', `${value}.0`, 'PRESENT'];

describeInterop("Feast's client", () => {
  let feast: FeastSession;
  beforeAll(() => {
    feast = FeastSession.open();
  });
  afterAll(() => feast.close());

  /** `moraine serve` and a worker whose plans wait for a gate. */
  async function serveWithWorker() {
    const side = await SideBySide.open(feast);
    const rows = ROWS.map(([k, at, v]) => `(${k}, '${at}', ${v})`);
    await side.table('demo.t', { k: 'long', event_ts: 'timestamptz', v: 'double' }, rows.join(', '));
    const source = { table: 'demo.t', timestampField: 'event_ts' };
    const view = (name: string) => ({ name, entities: ['k'], source, online: true, features: ['v'] });
    await side.define({ entities: [{ name: 'k', joinKeys: ['k'] }], featureViews: [view('first'), view('second')] });
    const { folder } = side.lab;
    const settings = testSettings();
    const config = {
      catalogs: { main: { uri: 'catalog.db', warehouse: 'warehouse' } },
      temporal: { address: settings.address, taskQueue: settings.taskQueue },
      engine: { threads: 1 },
      online: { readTimeoutMs: 60_000 },
      server: { queueTimeoutMs: 60_000, maxStalenessMs: 1 },
    };
    writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
    const moraine = await createMoraine({ cwd: folder, fileFolders: [folder] });
    onTestFinished(() => moraine.close());
    await moraine.apply(side.definitions);
    const plans = { gate: gate() };
    plans.gate.open();
    const activities: Activities = createActivities(moraine.project);
    const planMaterialization: Activities['planMaterialization'] = async (request) => {
      await plans.gate.opened;
      return activities.planMaterialization(request);
    };
    await testWorker(settings, { ...activities, planMaterialization });
    const { url } = await startServiceProcess(folder);
    const materialize = (request: object) => feast.ask('remote_materialize', { url, ...request });
    /** The values of both entities in a view, as Python has them. */
    const valuesOf = async (name: string): Promise<unknown> => {
      const question = { url, features: [`${name}:v`], entities: [{ k: 1 }, { k: 2 }] };
      const { columns } = (await feast.ask('remote', question)) as { readonly columns: Record<string, unknown> };
      return columns['v'];
    };
    const idOf = async (interval: string) => `materialize/first/${interval}@${await moraine.project.identity()}`;
    return { moraine, plans, materialize, valuesOf, idOf };
  }

  test('materializes windows and incrementally, and waits for the end unless it is told not to', async () => {
    const { moraine, plans, materialize, valuesOf, idOf } = await serveWithWorker();
    // Both ends of a window are in it. When the client goes on, its rows are served.
    await materialize({ start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z', views: ['first'] });
    expect(await valuesOf('first')).toEqual([present(20), MISSING]);
    // Every online view, by a time without a zone.
    await materialize({ end: '2026-01-02T00:00:00.000001' });
    expect(await valuesOf('first')).toEqual([present(30), present(5)]);
    expect(await valuesOf('second')).toEqual([present(30), present(5)]);

    plans.gate = gate();
    const window = { start: '2026-01-01T01:00:00+01:00', end: '2026-01-03T00:00:00Z', views: ['first'] };
    await materialize({ ...window, run_async: true });
    const id = await idOf('2026-01-01T00:00:00.000Z..2026-01-03T00:00:00.000001Z');
    expect(await moraine.run(id)).toMatchObject({ status: 'RUNNING' });
    const conflict =
      "RuntimeError: Remote materialization conflict (409): This interval of 'first' is being materialized already. Wait for that run, or join it.";
    const both = { ...window, views: ['second', 'first'] };
    await expect(materialize(both)).rejects.toThrow(conflict);
    await expect(materialize({ ...both, run_async: true })).rejects.toThrow(conflict);
    await expect(materialize({ ...window, force: true })).rejects.toThrow('ValueError: force=True requires run_async');
    await materialize({ ...window, run_async: true, force: true });
    plans.gate.open();
    expect(await moraine.waitForRun(id)).toMatchObject({ status: 'COMPLETED' });
    expect(await valuesOf('first')).toEqual([present(40), present(5)]);
    expect(await valuesOf('second')).toEqual([present(30), present(5)]);

    plans.gate = gate();
    const later = { end: '2026-01-04T00:00:00Z', views: ['first'], run_async: true };
    await materialize(later);
    await expect(materialize(later)).rejects.toThrow(conflict);
    await materialize({ ...later, force: true });
    plans.gate.open();
    const incremental = await idOf('incremental..2026-01-04T00:00:00.000001Z');
    expect(await moraine.waitForRun(incremental)).toMatchObject({ status: 'COMPLETED' });
    expect(await valuesOf('first')).toEqual([present(50), present(5)]);

    // What is refused arrives as the client's error with our message.
    const refused = 'RuntimeError: Remote materialization failed';
    await expect(materialize({ ...window, views: ['frist'] })).rejects.toThrow(
      `${refused} (404): {"error":"There is no feature view 'frist'. Did you mean 'first'?","code":"FEATURE_VIEW_NOT_FOUND"`,
    );
    await expect(materialize({ ...window, disable_event_timestamp: true })).rejects.toThrow(
      `${refused} (501): {"error":"The body's disable_event_timestamp is not supported`,
    );
    await expect(materialize({ ...later, version: 'v2' })).rejects.toThrow(
      `${refused} (501): {"error":"The body's version is not supported: views have no versions.`,
    );
  });
});
