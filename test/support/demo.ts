/** The demo as people run it, on any storage and catalog; its rows are the same everywhere. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect } from 'vitest';
import type { DemoDigest } from '../../demo/digest.js';
import { type CliResult, DIST } from './cli.js';
import { projectRoot } from './paths.js';
import { python } from './python.js';
import type { S3Server } from './s3-server.js';
import { type CatalogUnderTest, configuredFolder, expectNoSecrets, expectSameLife } from './shared-project.js';
import { temporaryFolder } from './temp-folder.js';

/** Of `.ci/nightly`, which runs all of it. */
const NIGHTLY_SCALE = process.env['MORAINE_DEMO_SCALE'];
const SCALE = NIGHTLY_SCALE ?? '0.02';

/** Runs the demo to its end, on a Temporal server of its own. */
async function demo(args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const child = spawn(process.execPath, [join(DIST, 'demo/main.js'), '--scale', SCALE, '--json', ...args], {
    cwd: projectRoot,
    env: { ...process.env, TEMPORAL_ADDRESS: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const result = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (result.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
  const [code, signal] = (await once(child, 'close')) as [CliResult['code'], CliResult['signal']];
  expect(code, result.stderr).toBe(0);
  expect(result.stderr).toContain('All answers equal plain SQL over the raw file.');
  return { ...result, code, signal, made: JSON.parse(result.stdout) as DemoDigest };
}

/** The same digests by PyIceberg. */
async function byPython(properties: Readonly<Record<string, string>>, { tables }: DemoDigest) {
  const names = tables.map(({ table }) => table);
  return await python<DemoDigest['tables']>('digest_tables.py', JSON.stringify(properties), ...names);
}

async function onLocalFiles(): Promise<DemoDigest> {
  const folder = temporaryFolder();
  const { made } = await demo(['--folder', folder], {});
  const uri = `sqlite:///${join(folder, '.moraine/catalog.db')}`;
  expect(await byPython({ type: 'sql', uri, name: 'local' }, made)).toEqual(made.tables);
  return made;
}

/** Flights of the raw file, and those of its last day once more: they are streamed as those of the day after. */
async function flightsOf(folder: string): Promise<number> {
  const raw =
    SCALE === '1'
      ? join(projectRoot, 'node_modules/vega-datasets/data/flights-3m.parquet')
      : join(folder, 'data/flights.parquet');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  try {
    const lastDay = "date >= TIMESTAMP '2001-06-30' AND date < TIMESTAMP '2001-07-01'";
    const counts = `SELECT count(*), count(*) FILTER (${lastDay}) FROM read_parquet('${raw}')`;
    const [[all, last] = []] = (await connection.runAndReadAll(counts)).getRows();
    expect(Number(all)).toBe(3_000_000 * Number(SCALE));
    return Number(all) + Number(last);
  } finally {
    connection.closeSync();
  }
}

let local: Promise<DemoDigest> | undefined;

/**
 * Runs the demo on a store and a catalog, by the configuration of docs/catalogs.md: the rows are those of the demo on local files, also
 * for PyIceberg after maintenance, and no output has shown a secret.
 */
async function expectSameDemo(server: S3Server, { shown, python: properties, ...setup }: CatalogUnderTest) {
  const { tables, digest } = await (local ??= onLocalFiles());
  const source = configuredFolder(server, { page: 'docs/catalogs.md', ...setup });
  const folder = join(source.folder, 'demo');
  const done = await demo(['--config', source.configure(), '--folder', folder], source.env);
  expect(done.made).toMatchObject({ digest, tables });
  expect(Number(tables[0]?.rows)).toBe(await flightsOf(folder));

  const run = (...args: string[]) => source.run('--config', join(folder, 'moraine.yaml'), ...args);
  expect(await run('doctor')).toContain(shown);
  const expired = ['--older-than', '0s', '--retain-last', '1', '--orphans-older-than', '3d'];
  await run('maintain', 'moraine_online.airport_history', ...expired);
  expect(await byPython(properties, done.made)).toEqual(tables);
  expectNoSecrets([...source.outputs, done]);
  return { folder, outputs: source.outputs };
}

/** The rows that a catalog's project makes are those of one on files: at night the whole demo, else the short life of a project. */
export async function expectSameAsOnFiles(server: S3Server, setup: CatalogUnderTest) {
  return NIGHTLY_SCALE === undefined ? await expectSameLife(server, setup) : await expectSameDemo(server, setup);
}
