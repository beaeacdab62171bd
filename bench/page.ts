/** Writes the figures into `docs/benchmarks.md`, between its markers. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Figure } from './job.js';

const BEGIN = '<!-- figures: written by `npm run bench -- --write` -->';
const END = '<!-- end of figures -->';

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

/** Replaces the table of the page at `path` with these figures. */
export function writePage(path: string, figures: readonly Figure[], measuredOn: string): void {
  const page = readFileSync(path, 'utf8');
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${path} lacks the markers of the figures`);
  const table = [
    '',
    measuredOn,
    '',
    '| job | size | what | value | floor | ratio | bar | |',
    '|---|---|---|---|---|---|---|---|',
    ...figures.map(row),
    '',
    '',
  ].join('\n');
  writeFileSync(path, page.slice(0, begin + BEGIN.length) + table + page.slice(end));
}
