/** The commits that a history rests on, as snapshots tell them, against a list of them: commits of Moraine and of others, roll-backs, branches, and expiry of anything. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Snapshot, TableMetadata } from '../../iceberg/index.js';
import { ANCESTRY, ancestryOf, ancestryText, isInAncestry } from '../../tables/ancestry.js';
import { runs } from '../support/property-runs.js';

/** A table's history; it remembers all snapshots, whatever expires. */
class History {
  readonly #all = new Map<bigint, Snapshot>();
  #kept: readonly Snapshot[] = [];
  #current: bigint | null = null;
  #number = 0n;

  get metadata(): TableMetadata {
    return { snapshots: this.#kept, currentSnapshotId: this.#current } as TableMetadata;
  }

  get numbers(): readonly bigint[] {
    return Array.from({ length: Number(this.#number) }, (_, at) => BigInt(at) + 1n);
  }

  /** Sequence numbers of the current snapshot and of all that came before it, by the parents. */
  get ancestry(): ReadonlySet<bigint> {
    const found = new Set<bigint>();
    for (let at = this.#current ?? undefined; at !== undefined; ) {
      const snapshot = this.#all.get(at);
      found.add(snapshot?.sequenceNumber ?? -1n);
      at = snapshot?.parentSnapshotId;
    }
    return found;
  }

  commit(by: 'moraine' | 'others' | 'copier', { isOnMain = true, isNew = false } = {}): void {
    const base = this.metadata;
    this.#number += 1n;
    const parent = isNew ? null : this.#current;
    const copied = this.#kept.at(-1)?.summary.get(ANCESTRY);
    const text = by === 'moraine' ? ancestryText(base, this.#number) : by === 'copier' ? copied : undefined;
    const snapshot = {
      snapshotId: this.#number * 1_000n,
      sequenceNumber: this.#number,
      ...(parent === null ? {} : { parentSnapshotId: parent }),
      summary: new Map(text === undefined ? [] : [[ANCESTRY, text]]),
    } as unknown as Snapshot;
    this.#all.set(snapshot.snapshotId, snapshot);
    this.#kept = [...this.#kept, snapshot];
    if (isOnMain) this.#current = snapshot.snapshotId;
  }

  /** Makes a kept snapshot the current one, whichever it is. */
  rollBack(place: number): void {
    this.#current = this.#kept[place % Math.max(1, this.#kept.length)]?.snapshotId ?? this.#current;
  }

  expire(places: readonly number[]): void {
    this.#kept = this.#kept.filter(
      ({ snapshotId }, place) => snapshotId === this.#current || !places.includes(place % 8),
    );
  }
}

type Step = (history: History) => void;
const place = fc.nat({ max: 30 });
const byMoraine = fc.constant<Step>((history) => history.commit('moraine'));
const rollBack = place.map(
  (at): Step =>
    (history) =>
      history.rollBack(at),
);
const expire = fc.uniqueArray(fc.nat({ max: 7 }), { minLength: 1 }).map(
  (places): Step =>
    (history) =>
      history.expire(places),
);
const byOthers = fc.constantFrom<Step>(
  (history) => history.commit('others'),
  (history) => history.commit('copier'),
  (history) => history.commit('others', { isOnMain: false }),
  (history) => history.commit('others', { isNew: true }),
);

describe('the ancestry of a snapshot', () => {
  it('never has a snapshot that is not in the history, whoever commits, rolls back and expires', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(byMoraine, byMoraine, byOthers, rollBack, expire), { maxLength: 60, size: 'max' }),
        (steps) => {
          const history = new History();
          for (const step of steps) {
            step(history);
            const { metadata, numbers, ancestry } = history;
            const told = numbers.filter((number) => isInAncestry(metadata, number));
            expect(told.filter((number) => !ancestry.has(number))).toEqual([]);
            // What it denies is not there, and not only not known.
            const denied = numbers.filter((number) => ancestryOf(metadata, number) === 'out');
            expect(denied.filter((number) => ancestry.has(number))).toEqual([]);
          }
        },
      ),
      { numRuns: runs(300) },
    );
  });

  it('has all of the history where Moraine makes the commits, whatever expires', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(byMoraine, rollBack, expire), { maxLength: 60, size: 'max' }), (steps) => {
        const history = new History();
        for (const step of steps) {
          step(history);
          const { metadata, numbers, ancestry } = history;
          expect(numbers.filter((number) => isInAncestry(metadata, number))).toEqual([...ancestry].sort(byNumber));
          const [first = 0n] = [...ancestry].sort(byNumber);
          const others = numbers.filter((number) => number > first && !ancestry.has(number));
          expect(numbers.filter((number) => ancestryOf(metadata, number) === 'out')).toEqual(others);
        }
      }),
      { numRuns: runs(300) },
    );
  });

  it('forgets the oldest commits after very many roll-backs, and stays short', () => {
    const history = new History();
    for (let round = 0; round < 100; round += 1) {
      history.commit('moraine');
      history.commit('others', { isOnMain: false });
    }
    const { metadata } = history;
    const last = metadata.snapshots.at(-2);
    expect(last?.summary.get(ANCESTRY)?.split(' ')).toHaveLength(64);
    expect([197n, 198n, 199n, 1n].map((number) => isInAncestry(metadata, number))).toEqual([true, false, true, false]);
  });
});

function byNumber(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
