/** docs/offline-store.md is run as it stands, and what it says shows something is there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, it } from 'vitest';
import { ERROR_TABLE } from '../../errors/index.js';
import { codeBlocks } from '../support/code-blocks.js';
import { runPage } from '../support/documented-page.js';
import { installMoraine } from '../support/installed-package.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PAGE = readFileSync(join(projectRoot, 'docs/offline-store.md'), 'utf8');

it('does what docs/offline-store.md says', { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  installMoraine(folder);
  const compiler = join(projectRoot, 'node_modules/typescript/bin/tsc');
  // The declarations of packages are checked by test/integration/package.test.ts.
  const tsc = `'${process.execPath}' '${compiler}' --types node --skipLibCheck`;
  await runPage('docs/offline-store.md', folder, new Map([['npx tsc', tsc]]));
  // The join by hand runs too. It differs from retrieval as the page says: the correction of 10:30 may win or not, and there is no ttl.
  const [byHand] = codeBlocks(PAGE).filter(({ language }) => language === 'sql');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const sql = (byHand?.content ?? '').replaceAll(/'(\w+\.csv)'/g, `'${folder}/shop/$1'`);
  const reader = await connection.runAndReadAll(
    `SELECT orders::INTEGER FROM (${sql}) ORDER BY customer, event_timestamp`,
  );
  const orders = reader.getRows().map(([value]) => value);
  expect([3, 4]).toContain(orders[0]);
  expect(orders.slice(1)).toEqual([5, 5, 1, null]);
  connection.closeSync();
});

it('names files and error codes that there are', () => {
  const files = [...PAGE.matchAll(/`(test\/[\w/.-]+)`/g)].map(([, path]) => path ?? '');
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((path) => !existsSync(join(projectRoot, path)))).toEqual([]);
  const codes = [...PAGE.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code ?? '');
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !Object.hasOwn(ERROR_TABLE, code))).toEqual([]);
});
