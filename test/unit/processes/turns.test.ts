import { expect, it } from 'vitest';
import { Turns } from '../../../processes/index.js';

/** What others did, and how far the work was then. */
async function workBesideOthers(sliceMs: number): Promise<readonly number[]> {
  const turns = new Turns(sliceMs);
  const seen: number[] = [];
  let step = 0;
  const other = (): void => {
    seen.push(step);
    if (step < 5) setImmediate(other);
  };
  setImmediate(other);
  for (; step < 5; step += 1) await turns.give();
  return seen;
}

it('others have their turn once a slice has passed', async () => {
  expect(await workBesideOthers(0)).toEqual([0, 1, 2, 3, 4]);
});

it('work that takes less than a slice is not left', async () => {
  expect(await workBesideOthers(60_000)).toEqual([]);
});
