/** When a reader looks at definitions and tables between reads. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Refresher } from '../../../online/refresher.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Looks that take some milliseconds, and the times at which they began, in milliseconds from the start. */
function refresher(takesMs: number, activeMs?: number) {
  const startMs = performance.now();
  const begun: number[] = [];
  const work = async (): Promise<void> => {
    begun.push(performance.now() - startMs);
    if (takesMs > 0) await new Promise((resolve) => setTimeout(resolve, takesMs));
  };
  return { begun, refresher: new Refresher(work, activeMs) };
}

describe('a refresher', () => {
  it('begins half a second after the first read, and again half a second after each end', async () => {
    const { begun, refresher: always } = refresher(100, Number.POSITIVE_INFINITY);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(begun).toEqual([]);
    always.isRead();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(begun).toEqual([1_500, 2_100, 2_700]);
    // Without reads, too.
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(begun.length).toBe(3 + 3_600_000 / 600);
    always.close();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(begun.length).toBe(3 + 3_600_000 / 600);
  });

  it('of the library goes on for five seconds after a read, and begins again with the next one', async () => {
    const { begun, refresher: asked } = refresher(0);
    asked.isRead();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(begun).toEqual([500, 1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 4_500, 5_000]);
    asked.isRead();
    await vi.advanceTimersByTimeAsync(600);
    expect(begun.at(-1)).toBe(60_500);
    asked.close();
  });
});
