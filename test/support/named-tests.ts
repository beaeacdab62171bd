/** Tests that the tables of a page name. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './paths.js';

/** The files that the page's tables name, each with the titles that stand behind it. @param file matches a file in backticks */
export function namedTests(page: string, file: RegExp): ReadonlyMap<string, readonly string[]> {
  const named = new Map<string, string[]>();
  for (const row of page.split('\n').filter((line) => line.startsWith('|'))) {
    let titles: string[] | undefined;
    for (const [, quoted, title] of row.matchAll(/`([^`]+)`|"([^"]+)"/g)) {
      if (quoted === undefined) titles?.push(title ?? '');
      else if (file.test(quoted)) named.set(quoted, (titles = named.get(quoted) ?? []));
    }
  }
  return named;
}

/** Files that are not there, and titles that they do not have; `...` is what a title is cut by. @param pathOf where a named file is */
export function missingTests(
  named: ReadonlyMap<string, readonly string[]>,
  pathOf: (file: string) => string = (file) => file,
): readonly string[] {
  return [...named].flatMap(([file, titles]) => {
    const path = join(projectRoot, pathOf(file));
    if (!existsSync(path)) return [file];
    if (statSync(path).isDirectory()) return [];
    const source = readFileSync(path, 'utf8');
    const isThere = (title: string): boolean => title.split('...').every((part) => source.includes(part.trim()));
    return titles.filter((title) => !isThere(title)).map((title) => `${file}: ${title}`);
  });
}
