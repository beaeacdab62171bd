/** examples/trino-nessie/README.md is run as it stands, with everything that its script starts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { PageShell } from '../support/page-shell.js';
import { projectRoot } from '../support/paths.js';
import { runServedPage } from '../support/served-page.js';
import { temporaryFolder } from '../support/temp-folder.js';

const EXAMPLE = 'examples/trino-nessie';
const script = (name: string): string => `'${process.execPath}' '${join(projectRoot, EXAMPLE, name)}'`;

it('examples/trino-nessie serves the rows that Trino has, and not those of the files', async () => {
  const commands = new Map([
    ['node start.mjs', `FEATURE_SERVICE_PORT=0 ${script('start.mjs')}`],
    ['node trino.mjs', script('trino.mjs')],
    ['node read-parquet.mjs', script('read-parquet.mjs')],
  ]);
  expect(await runServedPage(`${EXAMPLE}/README.md`, commands, EXAMPLE)).toBe(10);
});

it('its script starts no server that the environment names, and writes the variables of all', async () => {
  const folder = temporaryFolder();
  const catalog = { type: 'sql', uri: 'catalog.db', warehouse: 'warehouse' };
  writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify({ catalogs: { iceberg: catalog } }));
  const named = {
    ...{ S3_ENDPOINT: 'http://store:7070', S3_BUCKET: 'lake', AWS_REGION: 'eu-north-1' },
    ...{ AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' },
    ...{ NESSIE_URI: 'http://nessie:19120/api/v1', NESSIE_REF: 'gold' },
    ...{ TRINO_HOST: 'trino', TRINO_PORT: '8081', TRINO_USER: 'dbt', TRINO_CATALOG: 'lake' },
  };
  const shell = new PageShell(folder, { TEMPORAL_ADDRESS: undefined, FEATURE_SERVICE_PORT: '0', ...named });
  onTestFinished(async () => void (await shell.interruptAll()));
  await shell.runInBackground(script('start.mjs'), /Ctrl-C ends everything/);
  const lines = readFileSync(join(folder, '.env'), 'utf8').trim().split('\n');
  const written = new Map<string, string>();
  for (const line of lines) {
    const [, name = line, value = ''] = /^(\w+)='(.*)'$/.exec(line) ?? [];
    written.set(name, value);
  }
  const { FEATURE_SERVICE_URL: url, ...others } = Object.fromEntries(written);
  expect(others).toEqual({ ...named, NESSIE_ICEBERG_URI: 'http://nessie:19120/iceberg/gold' });
  expect((await fetch(`${url}/feast/status`)).status).toBe(200);
  expect(await shell.interruptAll()).toEqual([0]);
});
