/** Decoding the parts of a new snapshot that were decoded of the one before, so that a commit makes no read wait. */
import { isMoraineError } from '../../errors/index.js';
import type { Cell, Slot } from './cell.js';
import type { ChangedCell, DecodedTable } from './decoded-table.js';
import type { PartLoader } from './part-loader.js';

/**
 * Resolves when all that can be decoded is. What fails is loaded again by the read that needs it.
 * @param isAskedFor somebody waits for it: it goes before what is only prepared
 * @returns whether trying again may decode more
 */
export async function prepareParts(
  loader: PartLoader,
  table: DecodedTable,
  before: DecodedTable,
  isAskedFor = false,
): Promise<boolean> {
  if (![...before.slots()].some(({ part, behind }) => part !== null || behind !== null)) return false;
  const slots = await Promise.all(
    table.changedSince(before).map(async ({ cell, keys }): Promise<readonly Slot[]> => {
      if (cell.ranges === undefined) await loader.rangesOf(table, cell, isAskedFor).result.catch(() => undefined);
      return slotsAt(cell, keys);
    }),
  );
  const missing = slots.flat().filter(({ part }) => part === null);
  const settled = await Promise.allSettled(missing.map((slot) => loader.load(table, slot, isAskedFor).result));
  return settled.some((load) => load.status === 'rejected' && isMoraineError(load.reason) && load.reason.retryable);
}

/** Whether of all that was decoded before there is something to go on from. */
export function isBegun(table: DecodedTable, before: DecodedTable): boolean {
  return table
    .changedSince(before)
    .every(
      ({ cell, keys }) =>
        cell.ranges !== undefined && slotsAt(cell, keys).every(({ part, behind }) => part !== null || behind !== null),
    );
}

function slotsAt(cell: Cell, keys: ChangedCell['keys']): readonly Slot[] {
  const behind = cell.slots.filter((slot) => slot.behind !== null);
  if (behind.length > 0) return behind;
  const wanted = keys.length === 0 ? [undefined] : keys;
  const ranges = wanted.map((key) => (key === undefined ? 0 : (cell.ranges?.rangeOf(key) ?? 0)));
  return [...new Set(ranges)].flatMap((range) => cell.slots[range] ?? []);
}
