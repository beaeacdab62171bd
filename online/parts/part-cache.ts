/** Decoded parts within a budget: the part that was used least recently goes first. */
import type { Part, Slot } from './cell.js';
import type { Segment } from './segment.js';

/** Counts since the cache was made, and bytes that it holds. */
export interface PartCacheStats {
  readonly bytes: number;
  readonly parts: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  /** Parts that were decoded of files before a compaction wrote their rows anew. */
  readonly carried: number;
}

/** Keeps parts in their slots. */
export class PartCache {
  readonly budgetBytes: number;
  /** Ends of the list of slots in the order of their last use. A Map, whose entries would move with each use, keeps the garbage collector busy. */
  #oldest: Slot | null = null;
  #newest: Slot | null = null;
  #parts = 0;
  /** How many parts have a segment: the parts of two snapshots may share one. */
  readonly #segments = new Map<Segment, number>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;
  #carried = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get stats(): PartCacheStats {
    return {
      bytes: this.#bytes,
      parts: this.#parts,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      carried: this.#carried,
    };
  }

  /** The part of a slot, which counts as used now. */
  use(slot: Slot): Part | null {
    const { part } = slot;
    if (part === null) {
      this.#misses += 1;
      return null;
    }
    this.#hits += 1;
    if (slot !== this.#newest) {
      this.#unlink(slot);
      this.#append(slot);
    }
    return part;
  }

  /** Puts a part into its slot. Others make room for it; one that is larger than the budget does not stay. */
  keep(slot: Slot, part: Part): void {
    this.release(slot);
    slot.part = part;
    slot.behind = null;
    this.#append(slot);
    this.#parts += 1;
    for (const segment of part.segments) this.#hold(segment);
    while (this.#oldest !== null && this.#bytes > this.budgetBytes) {
      this.#evictions += 1;
      this.release(this.#oldest);
    }
  }

  /** Keeps the part that a slot goes on from, since no file is missing. */
  carry(slot: Slot, part: Part): void {
    this.#carried += 1;
    this.keep(slot, part);
  }

  /** Empties a slot. */
  release(slot: Slot): void {
    const { part } = slot;
    slot.part = null;
    if (part === null) return;
    this.#unlink(slot);
    this.#parts -= 1;
    for (const segment of part.segments) this.#drop(segment);
  }

  /** Makes a slot the one that was used last. */
  #append(slot: Slot): void {
    slot.usedBefore = this.#newest;
    if (this.#newest === null) this.#oldest = slot;
    else this.#newest.usedAfter = slot;
    this.#newest = slot;
  }

  #unlink(slot: Slot): void {
    const { usedBefore, usedAfter } = slot;
    if (usedBefore === null) this.#oldest = usedAfter;
    else usedBefore.usedAfter = usedAfter;
    if (usedAfter === null) this.#newest = usedBefore;
    else usedAfter.usedBefore = usedBefore;
    slot.usedBefore = null;
    slot.usedAfter = null;
  }

  #hold(segment: Segment): void {
    const count = this.#segments.get(segment) ?? 0;
    this.#segments.set(segment, count + 1);
    if (count === 0) this.#bytes += segment.bytes;
  }

  #drop(segment: Segment): void {
    const count = this.#segments.get(segment) ?? 0;
    if (count > 1) this.#segments.set(segment, count - 1);
    else {
      this.#segments.delete(segment);
      this.#bytes -= segment.bytes;
    }
  }
}
