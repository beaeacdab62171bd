/** Which delete files apply to which data files, in a few numbers: most data files have the deletes of their partition from some age on. */
import type { DeleteFile } from '../../iceberg/index.js';

/** Delete files with following numbers, both ends included. */
export interface DeleteRun {
  readonly first: number;
  readonly last: number;
}

/** Delete files, each once; its number is its place. */
export interface NumberedDeletes {
  readonly entries: readonly DeleteFile[];
  /** The runs of one of the given lists. */
  readonly runsOf: (list: readonly DeleteFile[]) => readonly DeleteRun[];
}

/** Numbers the delete files of lists, so that lists with common ends have few runs. */
export function numberDeletes(lists: Iterable<readonly DeleteFile[]>): NumberedDeletes {
  const numbers = new Map<DeleteFile, number>();
  for (const list of [...new Set(lists)].sort((a, b) => b.length - a.length)) {
    for (const entry of list) if (!numbers.has(entry)) numbers.set(entry, numbers.size);
  }
  return { entries: [...numbers.keys()], runsOf: (list) => runsOf(list.map((entry) => numbers.get(entry) ?? -1)) };
}

function runsOf(numbers: readonly number[]): readonly DeleteRun[] {
  const runs: { first: number; last: number }[] = [];
  for (const number of [...new Set(numbers)].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && number === run.last + 1) run.last = number;
    else runs.push({ first: number, last: number });
  }
  return runs;
}
