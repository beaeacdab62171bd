import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../../support/paths.js';

/** The files that the page's tables name, each with the titles that stand behind it; `...` is what a title is cut by. */
function namedTests(page: string): ReadonlyMap<string, readonly string[]> {
  const named = new Map<string, string[]>();
  for (const row of page.split('\n').filter((line) => line.startsWith('|'))) {
    let titles: string[] | undefined;
    for (const [, file, title] of row.matchAll(/`((?:test|\.ci)\/[^`]+)`|"([^"]+)"/g)) {
      if (file === undefined) titles?.push(title ?? '');
      else named.set(file, (titles = named.get(file) ?? []));
    }
  }
  return named;
}

const page = readFileSync(join(projectRoot, 'docs/reliability.md'), 'utf8');

test('the page names tests that are there, by titles that they have', () => {
  const named = [...namedTests(page)];
  expect(named.length).toBeGreaterThan(50);
  const wrong = named.flatMap(([file, titles]) => {
    const path = join(projectRoot, file);
    if (!existsSync(path)) return [file];
    if (statSync(path).isDirectory()) return [];
    const source = readFileSync(path, 'utf8');
    const isThere = (title: string): boolean => title.split('...').every((part) => source.includes(part.trim()));
    return titles.filter((title) => !isThere(title)).map((title) => `${file}: ${title}`);
  });
  expect(wrong).toEqual([]);
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
