/** The project that `docs/operations.md` speaks of: its tables, its views and its workers, on a Temporal server of its own. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMoraine } from '../../index.js';
import { findTemporalCli } from '../../workers/index.js';
import { MAIN } from './cli.js';

const CONFIG = `catalogs:
  local: { uri: catalog.db, warehouse: warehouse }
engine: { memoryLimit: 500MB, threads: 2 }
definitions: [features.yaml]
`;

const DEFINITIONS = `entities:
  - { name: airport, joinKeys: [origin] }
  - { name: customer, joinKeys: [customer] }
featureViews:
  - { name: airport_delay, entities: [airport], source: { table: demo.delays, timestampField: date }, online: true }
  - { name: customer_stats, entities: [customer], source: { table: shop.orders, timestampField: ordered_at }, online: true }
`;

const AIRPORTS = ['ATL', 'ORD', 'SFO'];
const twoDigits = (day: number): string => String(day).padStart(2, '0');

/** One delay of each airport at noon of a day. */
export const delaysOf = (day: string): string[] =>
  AIRPORTS.map((origin, minutes) => `${origin},${day}T12:00:00Z,${minutes}`);

/** Orders of five customers on one day of January 2026. */
const ordersOf = (day: number): string[] =>
  [15, 16, 17, 18, 19].map((customer) => `${customer},2026-01-${twoDigits(day)}T12:00:00Z,${customer * day}`);

/** Appends rows, as CSV, to a table of the project, which is made if it is not there. Every append is one commit. */
export async function appendRows(
  folder: string,
  table: string,
  header: string,
  appends: readonly (readonly string[])[],
): Promise<void> {
  const moraine = await createMoraine({ cwd: folder, fileFolders: [folder] });
  const file = join(folder, 'rows.csv');
  for (const rows of appends) {
    writeFileSync(file, [header, ...rows, ''].join('\n'));
    await moraine.appendFile(table, file, { create: true });
  }
  await moraine.close();
}

/** Makes the project. `moraine` and `temporal` are programs in its folder `bin`. */
export async function makeOperationsProject(folder: string, temporalAddress: string): Promise<void> {
  writeFileSync(join(folder, 'moraine.yaml'), CONFIG);
  writeFileSync(join(folder, 'features.yaml'), DEFINITIONS);
  mkdirSync(join(folder, 'bin'));
  const { path } = await findTemporalCli();
  program(folder, 'moraine', `exec '${process.execPath}' '${MAIN}' "$@"`);
  program(folder, 'temporal', `TEMPORAL_ADDRESS=${temporalAddress} exec '${path}' "$@"`);
  await appendRows(folder, 'demo.delays', 'origin,date,minutes', [delaysOf('2000-12-31')]);
  const labels = Array.from({ length: 9 }, (_, i) => `ATL,2001-03-${twoDigits(3 * i + 1)}T18:00:00Z,${i % 2}`);
  await appendRows(folder, 'demo.labels', 'origin,event_timestamp,late', [labels]);
  await appendRows(folder, 'shop.orders', 'customer,ordered_at,amount', [1, 2, 3, 4, 5, 6].map(ordersOf));
}

function program(folder: string, name: string, line: string): void {
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
}

/** Delays of every day of March 2001, in one file. */
export const MARCH = Array.from({ length: 31 }, (_, i) => delaysOf(`2001-03-${twoDigits(i + 1)}`)).flat();

/** The data files of a table, relative to the project. */
export function dataFiles(folder: string, table: string): string[] {
  const data = join('warehouse', ...table.split('.'), 'data');
  return readdirSync(join(folder, data))
    .filter((name) => name.endsWith('.parquet'))
    .map((name) => join(data, name));
}
