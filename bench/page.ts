/** Writes the figures into `docs/benchmarks.md`, between its markers. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Figure } from './job.js';

const BEGIN = '<!-- figures: written by `npm run bench -- --write` -->';
const END = '<!-- end of figures -->';
const HEAD = '| job | size | what | value | floor | ratio | bar | |\n|---|---|---|---|---|---|---|---|\n';

function row(one: Figure): string {
  const met = one.met === null ? '' : one.met ? 'met' : '**missed**';
  const cells = [
    one.job,
    one.size,
    one.what,
    `${one.value} ${one.unit}`,
    one.floor ?? '',
    one.ratio ?? '',
    one.bar ?? '',
    met,
  ];
  return `| ${cells.join(' | ')} |`;
}

/**
 * Writes figures into the table of the page at `path`: in place of those of their jobs, or behind the others.
 * @param measuredOn said above the table when every job was run
 */
export function writePage(path: string, figures: readonly Figure[], measuredOn: string | undefined): void {
  const page = readFileSync(path, 'utf8');
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  const head = page.indexOf(HEAD, begin);
  if (begin < 0 || end < begin || head < 0 || head > end) throw new Error(`${path} lacks the table of the figures`);
  const former =
    measuredOn === undefined
      ? page
          .slice(head + HEAD.length, end)
          .trim()
          .split('\n')
      : [];
  const above = measuredOn === undefined ? page.slice(begin + BEGIN.length, head) : `\n${measuredOn}\n\n`;
  const isAnew = (line: string): boolean => figures.some(({ job }) => line.startsWith(`| ${job} |`));
  const place = former.findIndex(isAnew);
  const before = place < 0 ? former : former.slice(0, place);
  const after = place < 0 ? [] : former.slice(place).filter((line) => !isAnew(line));
  const rows = [...before, ...figures.map(row), ...after];
  writeFileSync(path, `${page.slice(0, begin + BEGIN.length)}${above}${HEAD}${rows.join('\n')}\n\n${page.slice(end)}`);
}
