/** The project that the demo works in: what a user would write by hand. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '../processes/index.js';
import type { Project } from '../project/index.js';

/** A project of local files. */
const LOCAL = `catalog: local
catalogs:
  local: { type: sql, uri: .moraine/catalog.db, warehouse: warehouse }
engine:
  memoryLimit: 2GB
online:
  buckets: 16
definitions: [features.yaml]
`;

const DEFINITIONS = `entities:
  - { name: airport, joinKeys: [origin], description: Where a flight departs. }

featureViews:
  - name: airport_delay
    description: How late the flights of the last full hour were, in minutes.
    entities: [airport]
    source: { table: demo.airport_hourly, timestampField: event_ts, createdTimestampField: created }
    ttl: 6h
    online: true
    features:
      - { name: mean_delay, type: double }
      - { name: share_delayed, type: double }
      - { name: longest_delay, type: long }

  - name: airport_traffic
    description: How many flights departed in the last full hour.
    entities: [airport]
    source: { table: demo.airport_hourly, timestampField: event_ts, createdTimestampField: created }
    ttl: 6h
    online: true
    features:
      - { name: flights, type: int }

  - name: airport_history
    description: The last full hour that is known, however long ago.
    entities: [airport]
    source: { table: demo.airport_hourly, timestampField: event_ts, createdTimestampField: created }
    online: true
    features:
      - { name: flights, type: int }
      - { name: mean_delay, type: double }
      - { name: share_delayed, type: double }
      - { name: longest_delay, type: long }

  - name: airport_last_flight
    description: The flight that departed last.
    entities: [airport]
    source: { table: demo.flights, timestampField: date }
    online: true
    features:
      - { name: delay, type: long }
      - { name: distance, type: long }

featureServices:
  - { name: departures, features: [airport_delay, airport_traffic] }
`;

/** Where the demo's definitions are, below the project's folder. */
export const DEFINITIONS_FILE = 'features.yaml';

/**
 * Makes an empty project, in place of the last demo's. A server that somebody runs there is left alone: an error says so.
 * @param configFile its configuration; one of local files unless given
 */
export async function makeProject(folder: string, configFile?: string): Promise<void> {
  const config = configFile === undefined ? LOCAL : await readFile(configFile, 'utf8');
  if (await hasLiveServer(join(folder, '.moraine/temporal/server.json'))) {
    throw new Error(`A Temporal server of the last demo runs in ${folder} (moraine dev?). End it first.`);
  }
  await rm(folder, { recursive: true, force: true });
  await makeFolders(join(folder, 'data'));
  await writeFile(join(folder, 'moraine.yaml'), config);
  await writeFile(join(folder, DEFINITIONS_FILE), DEFINITIONS);
}

/** The demo makes its tables itself: those of another run would be among its answers. */
export async function requireNoTables(project: Project): Promise<void> {
  const { catalog, identifier } = await project.resolveTable('demo.flights');
  if (!(await catalog.namespaceExists(identifier.namespace)) || !(await catalog.tableExists(identifier))) return;
  throw new Error(
    `Table demo.flights exists already in catalog ${catalog.name}. Drop the tables of the last demo, in the namespaces demo, moraine and moraine_online, or use another catalog.`,
  );
}

async function hasLiveServer(recordFile: string): Promise<boolean> {
  try {
    const { pid } = JSON.parse(await readFile(recordFile, 'utf8')) as { pid: number };
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
