/** docs/quickstart.md is run as it stands, in an empty folder, with the packed package. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, inject, onTestFinished, test } from 'vitest';
import { type CodeBlock, codeBlocks, shownPattern } from '../support/code-blocks.js';
import { packPackage } from '../support/packed-package.js';
import { PageShell } from '../support/page-shell.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PAGE = readFileSync(join(projectRoot, 'docs/quickstart.md'), 'utf8');
const blocks = codeBlocks(PAGE);

test('every block of the quickstart runs, and shows what the page shows', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'moraine'));
  packPackage(join(folder, 'moraine'));
  const address = inject('temporalAddress');
  // The page's first part is for a machine without a configured server; where it names one, it is that of this run.
  const shell = new PageShell(folder, {
    TEMPORAL_ADDRESS: undefined,
    npm_config_loglevel: 'error',
    npm_config_prefer_offline: 'true',
  });
  expect((await shell.run('node --version')).trim()).toBe(process.version);
  onTestFinished(async () => {
    await shell.interruptAll();
  });
  const namesServer = (block: CodeBlock) => block.content.replace('localhost:7233', address);
  let compared = 0;
  for (const [index, block] of blocks.entries()) {
    const next = blocks[index + 1];
    const shown = next?.flags.has('output') === true ? next.content : undefined;
    const where = `docs/quickstart.md:${block.line}`;
    if (block.title !== undefined) {
      const file = join(folder, 'shop', block.title);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, block.content, { flag: 'wx' });
    } else if (block.flags.has('background')) {
      await shell.runInBackground(namesServer(block), shownPattern(shown ?? ''));
      compared += 1;
    } else if (block.language === 'sh') {
      const output = await shell.run(namesServer(block));
      if (shown === undefined) continue;
      if (!shownPattern(shown).test(output)) expect(output, where).toBe(shown);
      compared += 1;
    } else expect(block.flags.has('output'), `${where} is run, written or compared`).toBe(true);
  }
  expect(compared).toBe(blocks.filter((block) => block.flags.has('output')).length);
  expect(await shell.interruptAll()).toEqual([0]);
});

test('what the page shows of the flights is what plain SQL over the raw file says', async () => {
  const raw = join(projectRoot, 'node_modules/vega-datasets/data/flights-3m.parquet');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const reader = await connection.runAndReadAll(
    `SELECT origin, delay::VARCHAR, destination, strftime(date, '%Y-%m-%dT%H:%M:%S.000Z') FROM read_parquet('${raw}')
     WHERE origin IN ('ORD', 'BOS', 'HNL') AND date <= TIMESTAMP '2001-07-01'
     QUALIFY rank() OVER (PARTITION BY origin ORDER BY date DESC) = 1`,
  );
  const rows = reader.getRows() as string[][];
  connection.closeSync();
  expect(rows.length).toBe(3);
  for (const [origin, delay, destination, date] of rows) {
    expect(PAGE).toMatch(new RegExp(`^origin=${origin} +delay +${delay} +PRESENT +${date}$`, 'm'));
    expect(PAGE).toMatch(new RegExp(`^origin=${origin} +destination +${destination} +PRESENT +${date}$`, 'm'));
  }
});
