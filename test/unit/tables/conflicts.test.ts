/** Number of retries of lost commits, and the waits between them. */
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../catalogs/index.js';
import { MoraineError } from '../../../errors/index.js';
import { Attempts, hasCode, retryConflicts } from '../../../tables/conflicts.js';

/** A clock on which only sleeping takes time. */
function countingClock(random: number) {
  const waits: number[] = [];
  const total = (): number => waits.reduce((sum, ms) => sum + ms, 0);
  const clock: Clock = {
    nowMs: total,
    monotonicMs: total,
    random: () => random,
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
  };
  return { clock, waits, total };
}

const LIMITS = { retries: 5, minWaitMs: 100, maxWaitMs: 500, totalTimeoutMs: 10_000 };
const lost = (): MoraineError => new MoraineError('COMMIT_CONFLICT', 'Another was first.', { details: { base: 'b' } });

async function untilGivenUp(attempts: Attempts): Promise<unknown> {
  for (;;) {
    try {
      await attempts.next(lost());
    } catch (error) {
      return error;
    }
  }
}

describe('waits between attempts', () => {
  it.each([
    ['the full wait at most', 1, [100, 200, 400, 500, 500]],
    ['half of it at least', 0, [50, 100, 200, 250, 250]],
  ])('double up to the longest: %s', async (_name, random, expected) => {
    const { clock, waits } = countingClock(random);
    const attempts = new Attempts(LIMITS, clock);
    const error = await untilGivenUp(attempts);
    expect(waits).toEqual(expected);
    expect(attempts.number).toBe(6);
    expect(error).toMatchObject({
      code: 'COMMIT_CONFLICT',
      message: 'Another was first. It was given up after 6 attempts.',
      details: { attempts: 6, base: 'b' },
    });
  });

  it('end before the total time does', async () => {
    const { clock, waits } = countingClock(1);
    await untilGivenUp(new Attempts({ ...LIMITS, totalTimeoutMs: 700 }, clock));
    expect(waits).toEqual([100, 200, 400]);
  });
});

describe('work that is planned again', () => {
  it('is done until it meets no conflict, within seconds beside writers that win ten times', async () => {
    const { clock, total } = countingClock(1);
    const result = await retryConflicts({ clock }, (attempt) =>
      attempt <= 10 ? Promise.reject(lost()) : Promise.resolve(attempt),
    );
    expect(result).toBe(11);
    // 10, 20, 40, .. 640 ms, and then a second each.
    expect(total()).toBe(10 * (2 ** 7 - 1) + 3 * 1000);
  });

  it('is given up after a hundred retries, with the code of the conflict', async () => {
    const { clock, waits } = countingClock(0);
    const gone = new MoraineError('TABLE_NOT_FOUND', 'There is no table a.b.');
    const work = retryConflicts({ clock }, () => Promise.reject(gone), hasCode('TABLE_NOT_FOUND'));
    await expect(work).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND', cause: gone });
    expect(waits).toHaveLength(100);
  });

  it('is not repeated after another error', async () => {
    const { clock, waits } = countingClock(0);
    const unknown = new MoraineError('COMMIT_STATE_UNKNOWN', 'No answer came.');
    await expect(retryConflicts({ clock }, () => Promise.reject(unknown))).rejects.toBe(unknown);
    expect(waits).toEqual([]);
  });
});
