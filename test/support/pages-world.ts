/** A project whose pages are looked at: two views with rows, one without, one that is not online, a service, a worker. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createMoraine, type Moraine } from '../../client/index.js';
import type { ConfigInput } from '../../config/index.js';
import { type Service, startService } from '../../service/index.js';
import { createActivities } from '../../workers/index.js';
import { installQuietRuntime } from '../../workers/worker/native-runtime.js';
import { lastingFolder } from './temp-folder.js';
import { testSettings, WORKFLOWS } from './temporal.js';

/** What would run if it were not escaped. */
export const HOSTILE = {
  description: '<script>document.title = "taken over"</script> & "quotes"',
  value: '<img src=x onerror="document.title = 1">',
};

const ROWS = [
  'driver_id,event_ts,created,conv_rate,trips_today,city,note',
  '1001,2026-03-01T10:00:00Z,2026-03-01T10:01:00Z,0.5,9007199254740993,Chur,new tyres',
  `1002,2026-03-01T11:00:00.125Z,2026-03-01T11:01:00Z,0.75,12,Zürich,"${HOSTILE.value.replaceAll('"', '""')}"`,
  '1003,2026-03-01T12:00:00Z,2026-03-01T12:01:00Z,,7,,',
];

export interface PagesWorld {
  readonly moraine: Moraine;
  readonly folder: string;
  /** Views that have rows, that has none yet, and that is not online. */
  readonly names: { readonly stats: string; readonly city: string; readonly unread: string; readonly offline: string };
  /** Starts a service on the project, with other settings of `server` and `temporal`. */
  serve(config?: Pick<ConfigInput, 'server' | 'temporal'>, log?: string[]): Promise<Service>;
  close(): Promise<void>;
}

/** @param forPictures names and descriptions are those of a usual project */
export async function openPagesWorld({ forPictures = false } = {}): Promise<PagesWorld> {
  const { address, taskQueue, connection } = testSettings();
  const lasting = lastingFolder();
  const folder = lasting.path;
  const toClose: (() => Promise<void>)[] = [];
  const open = async ({ server, temporal }: Pick<ConfigInput, 'server' | 'temporal'> = {}): Promise<Moraine> => {
    const config = {
      temporal: { address, taskQueue, uiAddress: 'http://127.0.0.1:1', ...temporal },
      engine: { threads: 1 },
      online: { readTimeoutMs: 10_000 },
      server: { port: 0, queueTimeoutMs: 10_000, ...server },
    };
    const moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] });
    toClose.unshift(() => moraine.close());
    return moraine;
  };
  const serve: PagesWorld['serve'] = async (config, log = []) => {
    const { project } = await open(config);
    const service = await startService({ project, version: '1.2.3', log: { write: (line) => void log.push(line) } });
    toClose.unshift(() => service.close());
    return service;
  };
  const moraine = await open();
  const names = namesOf(forPictures ? '' : `_${randomUUID().slice(0, 6)}`);
  await define(moraine, folder, names, forPictures ? 'Where each driver is.' : HOSTILE.description);
  installQuietRuntime();
  const native = await NativeConnection.connect(connection);
  const activities = createActivities(moraine.project);
  const worker = await Worker.create({ connection: native, taskQueue, ...WORKFLOWS, shutdownGraceTime: 0, activities });
  const running = worker.run();
  for (const view of [names.stats, names.city]) await moraine.materialize({ view });
  const close = async (): Promise<void> => {
    for (const each of toClose) await each();
    worker.shutdown();
    await running;
    await native.close();
    lasting.remove();
  };
  return { moraine, folder, names, serve, close };
}

/** Runs are of one Temporal server for all tests, so that views have names of their own. */
const namesOf = (run: string): PagesWorld['names'] => ({
  stats: `driver_hourly_stats${run}`,
  city: `driver_city${run}`,
  unread: `driver_ratings${run}`,
  offline: `driver_history${run}`,
});

async function define(
  moraine: Moraine,
  folder: string,
  { stats, city, unread, offline }: PagesWorld['names'],
  description: string,
): Promise<void> {
  writeFileSync(join(folder, 'rows.csv'), `${ROWS.join('\n')}\n`);
  await moraine.appendFile('rides.driver_stats', join(folder, 'rows.csv'), { create: true });
  const source = { table: 'rides.driver_stats', timestampField: 'event_ts', createdTimestampField: 'created' };
  const view = { entities: ['driver'], source, online: true };
  await moraine.apply({
    entities: [{ name: 'driver', joinKeys: ['driver_id'] }],
    featureViews: [
      {
        ...{ ...view, name: stats, features: ['conv_rate', 'trips_today', 'note'], ttl: '36500d' },
        description: 'Conversion rate and trips of each driver, by hour.',
        tags: { team: 'marketplace' },
      },
      { ...view, name: city, features: ['city'], description, ttl: '1d' },
      { ...view, name: unread, features: ['city'] },
      { ...view, name: offline, features: ['city'], online: false },
    ],
    featureServices: [
      { name: 'ranking', description: 'What the ranking model reads.', features: [{ view: stats }, { view: city }] },
    ],
  });
}
