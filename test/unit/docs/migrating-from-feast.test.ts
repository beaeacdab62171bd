/** What docs/migrating-from-feast.md says of Feast's own tests: which of ours asks each of them, or why none does. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missingTests, namedTests } from '../../support/named-tests.js';
import { projectRoot } from '../../support/paths.js';

const [, section = ''] = readFileSync(join(projectRoot, 'docs/migrating-from-feast.md'), 'utf8').split(
  '## What answers alike\n',
);
/** Each row of its tables, as cells. */
const rows = section
  .split('\n')
  .filter((line) => /^\| (?!behaviour|Feast's test)/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));
const suites = readdirSync(join(projectRoot, 'test/integration')).map((name) => name.replace(/\.test\.ts$/, ''));
const isSuite = new RegExp(`^(?:test/.*|${suites.join('|')})$`);
const pathOf = (file: string): string => `${file.startsWith('test/') ? file : `test/integration/${file}`}.test.ts`;
const named = namedTests(rows.map(([, test = '']) => `| ${test}`).join('\n'), isSuite);

test('the page names tests that are there, by titles that they have', () => {
  expect(named.size).toBeGreaterThan(20);
  expect(missingTests(named, pathOf)).toEqual([]);
  // A file alone would say nothing of which of its tests it is.
  expect([...named].filter(([, titles]) => titles.length === 0)).toEqual([]);
});

test("every line about a test of Feast's has one of ours, or says why there is none", () => {
  expect(rows.length).toBeGreaterThan(60);
  const silent = rows.filter(([, test = '', ...more]) => {
    const hasTitle = [...namedTests(`| ${test}`, isSuite).values()].some((titles) => titles.length > 0);
    return more.length > 0 || (!hasTitle && !/^none: ./.test(test));
  });
  expect(silent).toEqual([]);
});
