/** Names of fetched parts of files: the version of the file, its columns and its row groups. */
import { createHash } from 'node:crypto';
import type { FilePart } from '../engine/index.js';

const NAME = /^(?<version>[0-9a-f]{16})\.c(?<columns>[0-9,-]*)\.g(?<rowGroups>[0-9,-]*)$/;

/** Longer lists are named by their hash: such a part is found again by those alone who ask for the same. */
const MAX_NAME = 200;

export function nameOfPart(version: string, { columns, rowGroups }: FilePart): string {
  const name = `${version}.c${intervals(columns)}.g${intervals(rowGroups)}`;
  if (name.length <= MAX_NAME) return name;
  return `${version}.${createHash('sha256').update(name).digest('hex')}`;
}

/** The part that a name tells. */
export function partOfName(name: string): { readonly version: string; readonly part: FilePart } | undefined {
  const { version, columns, rowGroups } = NAME.exec(name)?.groups ?? {};
  if (version === undefined || columns === undefined || rowGroups === undefined) return undefined;
  return { version, part: { columns: numbersOf(columns), rowGroups: numbersOf(rowGroups) } };
}

/** Of some names one whose part has all that is wanted; undefined if there is none. Rows that a filter rules out do no harm. */
export function partToRead(names: readonly string[], version: string, wanted: FilePart): string | undefined {
  const covers = (has: readonly number[], wants: readonly number[]): boolean => {
    const set = new Set(has);
    return wants.every((one) => set.has(one));
  };
  return names.find((name) => {
    const found = partOfName(name);
    if (found?.version !== version) return false;
    return covers(found.part.columns, wanted.columns) && covers(found.part.rowGroups, wanted.rowGroups);
  });
}

/** `0-3,7` */
function intervals(numbers: readonly number[]): string {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

function numbersOf(text: string): number[] {
  if (text === '') return [];
  return text.split(',').flatMap((interval) => {
    const [first = 0, last = first] = interval.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
