import { beforeEach, describe, expect, it } from 'vitest';
import { ANY_TIME } from '../../../online/event-times.js';
import { Cell, Part, type Slot } from '../../../online/parts/cell.js';
import type { Column } from '../../../online/parts/column.js';
import { KeyRanges } from '../../../online/parts/key-ranges.js';
import { PartCache } from '../../../online/parts/part-cache.js';
import { Segment } from '../../../online/parts/segment.js';

const longs = (values: readonly number[]): Column => ({
  storage: 'fixed',
  values: BigInt64Array.from(values.map(BigInt)),
  width: 1,
  validity: null,
});

/** One row. All of them have the same size. */
function segment(key = 1): Segment {
  const zero = longs([0]);
  return new Segment({
    count: 1,
    key: longs([key]),
    eventTimestamp: zero,
    created: zero,
    sequenceNumber: zero,
    features: [],
  });
}
const BYTES = segment().bytes;
const part = (): Part => new Part(segment(), null);

let slots: readonly Slot[];
beforeEach(() => {
  const cell = new Cell({ kind: 'long' }, { files: [], times: ANY_TIME });
  cell.setRanges(new KeyRanges({ kind: 'long' }, [10n, 20n, 30n, 40n]));
  slots = cell.slots;
});
const slot = (place: number): Slot => slots[place] as Slot;

/** A cache with room for so many parts, and the first of them in it. */
function filled(room: number): PartCache {
  const cache = new PartCache(room * BYTES);
  for (let place = 0; place < room; place += 1) cache.keep(slot(place), part());
  return cache;
}
/** Places of the slots that have a part. */
const kept = (): readonly number[] => slots.flatMap(({ part: of, range }) => (of === null ? [] : [range]));
/** The places in the order in which they are evicted, told by filling the cache with other parts. */
function evictionOrder(cache: PartCache): readonly number[] {
  const order: number[] = [];
  const spare = new Cell({ kind: 'long' }, { files: [], times: ANY_TIME });
  spare.setRanges(new KeyRanges({ kind: 'long' }, [1n, 2n, 3n, 4n, 5n]));
  const others = [...spare.slots];
  for (let before = kept(); before.length > 0; ) {
    cache.keep(others.shift() as Slot, part());
    const after = kept();
    order.push(...before.filter((place) => !after.includes(place)));
    before = after;
  }
  return order;
}

describe('the cache of parts', () => {
  it('evicts the part that was used least recently', () => {
    const cache = filled(4);
    for (const place of [1, 0, 3, 1]) expect(cache.use(slot(place))).toBe(slot(place).part);
    expect(evictionOrder(cache)).toEqual([2, 0, 3, 1]);
  });

  it('counts what it evicts, and no use of an empty slot as one', () => {
    const cache = filled(3);
    cache.keep(slot(3), part());
    expect(kept()).toEqual([1, 2, 3]);
    expect(cache.use(slot(0))).toBeNull();
    expect(cache.use(slot(1))).not.toBeNull();
    expect(cache.stats).toEqual({ bytes: 3 * BYTES, parts: 3, hits: 1, misses: 1, evictions: 1, carried: 0 });
  });

  it.each([
    ['first', 0, [1, 2, 3]],
    ['middle', 1, [0, 2, 3]],
    ['last', 3, [0, 1, 2]],
  ])('keeps the order of the others when the %s is released', (_name, released, others) => {
    const cache = filled(4);
    cache.release(slot(released));
    cache.release(slot(released));
    expect(kept()).toEqual(others);
    expect(cache.stats).toEqual({ bytes: 3 * BYTES, parts: 3, hits: 0, misses: 0, evictions: 0, carried: 0 });
    cache.keep(slot(4), part());
    expect(cache.use(slot(others[0] as number))).not.toBeNull();
    expect(evictionOrder(cache)).toEqual([...others.slice(1), 4, others[0]]);
  });

  it('is empty after all are released, and takes parts again', () => {
    const cache = filled(3);
    for (const place of [1, 2, 0]) cache.release(slot(place));
    expect(cache.stats).toMatchObject({ bytes: 0, parts: 0 });
    cache.keep(slot(2), part());
    cache.keep(slot(1), part());
    expect(evictionOrder(cache)).toEqual([2, 1]);
  });

  it('does not keep a part that is larger than the budget, nor what had to make room for it', () => {
    const cache = new PartCache(2 * BYTES - 1);
    cache.keep(slot(0), part());
    cache.keep(slot(1), new Part(segment(), segment(2)));
    expect(kept()).toEqual([]);
    expect(cache.use(slot(1))).toBeNull();
    expect(cache.stats).toEqual({ bytes: 0, parts: 0, hits: 0, misses: 1, evictions: 2, carried: 0 });
    cache.keep(slot(2), part());
    expect(kept()).toEqual([2]);
  });

  it('counts a segment once, however many parts have it', () => {
    const cache = new PartCache(10 * BYTES);
    const [shared, appended] = [segment(), segment(2)];
    cache.keep(slot(0), new Part(shared, null));
    cache.keep(slot(1), new Part(shared, appended));
    expect(cache.stats).toMatchObject({ bytes: 2 * BYTES, parts: 2 });
    cache.release(slot(0));
    expect(cache.stats).toMatchObject({ bytes: 2 * BYTES, parts: 1 });
    // Another part in the same slot takes the place of the one before.
    cache.keep(slot(1), new Part(shared, null));
    expect(cache.stats).toMatchObject({ bytes: BYTES, parts: 1, evictions: 0 });
    cache.release(slot(1));
    expect(cache.stats).toMatchObject({ bytes: 0, parts: 0 });
  });

  it('forgets what a slot was behind when the part is there', () => {
    const cache = new PartCache(BYTES);
    slot(0).behind = { part: part(), files: [], isWider: false };
    cache.keep(slot(0), part());
    expect(slot(0).behind).toBeNull();
  });
});
