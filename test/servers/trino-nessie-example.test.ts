/** examples/trino-nessie/README.md is run as it stands, with everything that its script starts. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../support/paths.js';
import { runServedPage } from '../support/served-page.js';

const EXAMPLE = 'examples/trino-nessie';
const script = (name: string): string => `'${process.execPath}' '${join(projectRoot, EXAMPLE, name)}'`;

it('examples/trino-nessie serves the rows that Trino has, and not those of the files', async () => {
  const commands = new Map([
    ['node start.mjs', `FEATURE_SERVICE_PORT=0 ${script('start.mjs')}`],
    ['node trino.mjs', script('trino.mjs')],
    ['node read-parquet.mjs', script('read-parquet.mjs')],
  ]);
  expect(await runServedPage(`${EXAMPLE}/README.md`, commands, EXAMPLE)).toBe(9);
});
