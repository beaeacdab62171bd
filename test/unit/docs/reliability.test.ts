import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missingTests, namedTests } from '../../support/named-tests.js';
import { projectRoot } from '../../support/paths.js';

const page = readFileSync(join(projectRoot, 'docs/reliability.md'), 'utf8');

test('the page names tests that are there, by titles that they have', () => {
  const named = namedTests(page, /^(?:test|\.ci)\//);
  expect(named.size).toBeGreaterThan(50);
  expect(missingTests(named)).toEqual([]);
});

test('every line about a fault says which test shows it, or why none does', () => {
  const tables = page.split(/^## /m).flatMap((section) => section.split('| fault |')[1] ?? []);
  const rows = tables.flatMap((table) => table.split('\n').filter((line) => /^\| [^-]/.test(line)));
  expect(rows.length).toBeGreaterThan(50);
  const silent = rows.filter((row) => {
    const reason = row.split('|').at(-2)?.trim();
    return reason === '' && !/`test\/|the same/.test(row);
  });
  expect(silent).toEqual([]);
});
