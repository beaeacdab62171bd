/** Looking keys up in decoded parts. */
import type { IcebergType, PrimitiveValue } from '../../iceberg/index.js';
import type { Cell, Part, Slot } from './cell.js';
import type { DecodedTable } from './decoded-table.js';
import { type LookupKey, lookupKey } from './key-index.js';
import type { PartCache } from './part-cache.js';
import type { PartLoader } from './part-loader.js';
import { type RowPlace, type Segment, winner } from './segment.js';
import type { Queued } from './statement-queue.js';

/** A key, and what is known of where its rows are. */
interface Wanted {
  readonly key: LookupKey;
  readonly value: PrimitiveValue;
  /** Parts that may have its rows; they stay what they are while the read goes on, whatever the cache does. */
  readonly parts: Part[];
}

/** One read of some keys of one snapshot. */
export class DecodedRead {
  readonly #table: DecodedTable;
  readonly #cache: PartCache;
  readonly #wanted: (Wanted | null)[] = [];
  /** Slots whose parts are not in memory, with those who want them. */
  readonly #missing = new Map<Slot, Wanted[]>();
  /** Large cells whose ranges are not known yet. */
  readonly #unknown = new Map<Cell, Wanted[]>();

  /** @param keys values of the column that is looked up; null: no row has this key */
  constructor(table: DecodedTable, cache: PartCache, type: IcebergType, keys: readonly (PrimitiveValue | null)[]) {
    this.#table = table;
    this.#cache = cache;
    for (const value of keys) {
      const key = value === null ? null : lookupKey(type, value);
      if (key === null || value === null) {
        this.#wanted.push(null);
        continue;
      }
      const wanted: Wanted = { key, value, parts: [] };
      this.#wanted.push(wanted);
      for (const cell of table.cellsOf(value)) this.#look(wanted, cell);
    }
  }

  /** Whether every part is there. */
  get isReady(): boolean {
    return this.#missing.size === 0 && this.#unknown.size === 0;
  }

  /** Asks for what is missing. Ask again until the read is ready. */
  askFor(loader: PartLoader): Queued<void> {
    const asked: Queued<void>[] = [];
    for (const [cell, those] of this.#unknown) {
      const { started, result } = loader.rangesOf(this.#table, cell);
      const look = (): void => {
        for (const wanted of those) this.#look(wanted, cell);
      };
      asked.push({ started, result: result.then(look) });
    }
    for (const [slot, those] of this.#missing) {
      const { started, result } = loader.load(this.#table, slot, true);
      const take = (part: Part): void => {
        for (const wanted of those) wanted.parts.push(part);
      };
      asked.push({ started, result: result.then(take) });
    }
    this.#unknown.clear();
    this.#missing.clear();
    const all = async (promises: readonly Promise<void>[]): Promise<void> => {
      await Promise.all(promises);
    };
    const started = all(asked.map((one) => one.started));
    const result = all(asked.map((one) => one.result));
    // A read that has failed already listens to neither.
    started.catch(() => undefined);
    result.catch(() => undefined);
    return { started, result };
  }

  /** The winning row of a key at a time. `'tied'`: the present rows differ in features alone, whose order the engine knows. */
  rowOf(place: number, nowUs: bigint): RowPlace | 'tied' | undefined {
    const wanted = this.#wanted[place];
    if (wanted === null || wanted === undefined) return undefined;
    let best: RowPlace | undefined;
    for (const part of wanted.parts) {
      for (const segment of part.segments) {
        const found = better(best, segment, wanted.key, nowUs);
        if (found === 'tied') return 'tied';
        best = found;
      }
    }
    return best;
  }

  #look(wanted: Wanted, cell: Cell): void {
    const { ranges } = cell;
    if (ranges === undefined) {
      push(this.#unknown, cell, wanted);
      return;
    }
    const slot = cell.slots[ranges.rangeOf(wanted.value)] as Slot;
    const part = this.#cache.use(slot);
    if (part === null) push(this.#missing, slot, wanted);
    else wanted.parts.push(part);
  }
}

function push<K>(map: Map<K, Wanted[]>, key: K, wanted: Wanted): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [wanted]);
  else list.push(wanted);
}

function better(
  best: RowPlace | undefined,
  segment: Segment,
  key: LookupKey,
  nowUs: bigint,
): RowPlace | 'tied' | undefined {
  const row = segment.newest(key, nowUs);
  if (row === 'tied' || row === undefined) return row === 'tied' ? 'tied' : best;
  const place = { segment, row };
  return best === undefined ? place : winner(best, place);
}
