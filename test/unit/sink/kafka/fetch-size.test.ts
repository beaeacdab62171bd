/** How much of a topic is asked for at once. */
import { expect, it } from 'vitest';
import { FetchSize } from '../../../../sink/kafka/fetch-size.js';

const MIB = 2 ** 20;

it('grows with full answers that come soon, up to 16 MiB, and not with others', () => {
  const size = new FetchSize();
  const sizes = [];
  for (const [share, tookMs] of [
    [0.9, 10],
    [0.4, 10],
    [1, 5_000],
    [1, 10],
    [1, 10],
    [1, 10],
    [1, 10],
  ] as const) {
    // Keys and values are less than what is sent, and asked for.
    size.came({ recordBytes: 0.8 * share * size.bytes, share, tookMs });
    sizes.push(size.bytes / MIB);
  }
  expect(sizes).toEqual([2, 2, 2, 4, 8, 16, 16]);
});

it('keeps the records of an answer at about 16 MiB, whatever they are compressed to', () => {
  const size = new FetchSize();
  const decompressed = [];
  for (let answer = 0; answer < 20; answer += 1) {
    decompressed.push((30 * size.bytes) / MIB);
    size.came({ recordBytes: 30 * size.bytes, share: 1, tookMs: 10 });
  }
  expect(decompressed).toEqual([30, ...Array.from({ length: 19 }, () => 15)]);
});

it('shrinks where no answer comes in time, gives it more, and goes back once answers come soon again', () => {
  const size = new FetchSize();
  const asked = () => [size.bytes / MIB, size.limitMs];
  const late = [1, 2, 3, 4].map(() => {
    size.wasLate();
    return asked();
  });
  expect(late).toEqual([
    [1 / 4, 20_000],
    [1 / 16, 30_000],
    [1 / 16, 30_000],
    [1 / 16, 30_000],
  ]);
  size.came({ recordBytes: MIB, share: 16, tookMs: 20_000 });
  expect(asked()).toEqual([1 / 16, 30_000]);
  const soon = [1, 2, 3, 4].map(() => {
    size.came({ recordBytes: 0.8 * size.bytes, share: 0.9, tookMs: 100 });
    return asked();
  });
  expect(soon).toEqual([
    [1 / 8, 15_000],
    [1 / 4, 10_000],
    [1 / 2, 10_000],
    [1, 10_000],
  ]);
});
