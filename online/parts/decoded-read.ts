/** Looking keys up in decoded parts: from the cells with the latest event times back, until no other can have a newer row. */
import type { IcebergType, PrimitiveValue } from '../../iceberg/index.js';
import type { Cell, Part, Slot } from './cell.js';
import type { DecodedTable } from './decoded-table.js';
import { type LookupKey, lookupKey } from './key-index.js';
import type { PartCache } from './part-cache.js';
import type { PartLoader } from './part-loader.js';
import { eventTimestampUs, type RowPlace, winner } from './segment.js';
import type { Queued } from './statement-queue.js';

/** A key on its way through the cells that may have its rows. */
interface Wanted {
  readonly key: LookupKey;
  readonly value: PrimitiveValue;
  readonly cells: readonly Cell[];
  /** The place of the cell to look into next. */
  next: number;
  /** Cells that are asked for at once if the next one is not decoded. */
  ahead: number;
  /** Bytes and rows of the parts that were looked into. */
  bytes: number;
  rows: number;
  best: RowPlace | undefined;
  /** The rows differ in features alone, too much would have to be decoded, or the time is before that of what is decoded. */
  isLeft: boolean;
}

/** Cells that are asked for at once; each time that they were not enough, twice as many. */
const FIRST_CELLS = 4;
/** What a row of decoded parts takes, where none is known. */
const ROW_BYTES = 100;

/** One read of some keys of one snapshot at one time. */
export class DecodedRead {
  readonly #table: DecodedTable;
  readonly #cache: PartCache;
  readonly #nowUs: bigint;
  /** Bytes of parts that a key is looked up in; beyond, it is left to a statement. */
  readonly #mostBytes: number;
  readonly #wanted: readonly (Wanted | null)[];
  /** Keys that wait for a part. */
  #waiting: Wanted[] = [];
  /** Parts that were loaded for this read stay while it goes on, whatever the cache does. */
  readonly #loaded = new Map<Slot, Part>();

  /** @param keys values of the column that is looked up; null: no row has this key */
  constructor(
    table: DecodedTable,
    cache: PartCache,
    {
      type,
      keys,
      nowUs,
    }: {
      readonly type: IcebergType;
      readonly keys: readonly (PrimitiveValue | null)[];
      readonly nowUs: bigint;
    },
  ) {
    this.#table = table;
    this.#cache = cache;
    this.#nowUs = nowUs;
    this.#mostBytes = table.hasHours ? cache.budgetBytes / 2 : Number.POSITIVE_INFINITY;
    this.#wanted = keys.map((value) => {
      const key = value === null ? null : lookupKey(type, value);
      if (key === null || value === null) return null;
      const cells = table.cellsOf(value);
      const wanted: Wanted = {
        key,
        value,
        cells,
        next: 0,
        ahead: FIRST_CELLS,
        bytes: 0,
        rows: 0,
        best: undefined,
        isLeft: false,
      };
      this.#advance(wanted);
      return wanted;
    });
  }

  /** Whether every part is there that is needed. */
  get isReady(): boolean {
    return this.#waiting.length === 0;
  }

  /** Asks for what is missing. Ask again until the read is ready. */
  askFor(loader: PartLoader): Queued<void> {
    const [cells, slots] = [new Set<Cell>(), new Set<Slot>()];
    const waiting = this.#waiting;
    for (const wanted of waiting) this.#askAhead(wanted, cells, slots);
    const ranges = [...cells].map((cell) => loader.rangesOf(this.#table, cell, true));
    const parts = [...slots].map((slot): Queued<void> => {
      const { started, result } = loader.load(this.#table, slot, true);
      return { started, result: result.then((part) => void this.#loaded.set(slot, part)) };
    });
    this.#waiting = [];
    const asked = [...ranges, ...parts];
    const started = Promise.all(asked.map((one) => one.started)).then(() => undefined);
    const result = Promise.all(asked.map((one) => one.result)).then(() => {
      for (const wanted of waiting) this.#advance(wanted);
    });
    // A read that has failed already listens to neither.
    started.catch(() => undefined);
    result.catch(() => undefined);
    return { started, result };
  }

  /** The winning row of a key. `'left'`: the answer is left to a statement. */
  rowOf(place: number): RowPlace | 'left' | undefined {
    const wanted = this.#wanted[place];
    return wanted?.isLeft === true ? 'left' : wanted?.best;
  }

  #advance(wanted: Wanted): void {
    for (; wanted.next < wanted.cells.length && !wanted.isLeft; wanted.next += 1) {
      const cell = wanted.cells[wanted.next] as Cell;
      // All that follow have no later times. A row of the same time may tie.
      if (wanted.best !== undefined && eventTimestampUs(wanted.best) > cell.times.latestUs) return;
      if (cell.times.earliestUs > this.#nowUs) continue;
      const part = this.#partOf(wanted, cell);
      if (part === undefined) {
        if (this.#isWithinBudget(wanted, cell)) this.#waiting.push(wanted);
        else wanted.isLeft = true;
        return;
      }
      this.#lookInto(wanted, part);
    }
  }

  /** Undefined: it is not decoded, or it is not known which one it is. */
  #partOf({ value }: Wanted, { ranges, slots }: Cell): Part | undefined {
    if (ranges === undefined) return undefined;
    const slot = slots[ranges.rangeOf(value)] as Slot;
    return this.#loaded.get(slot) ?? this.#cache.use(slot) ?? undefined;
  }

  #lookInto(wanted: Wanted, { segments, fromUs }: Part): void {
    if (this.#nowUs < fromUs) {
      wanted.isLeft = true;
      return;
    }
    for (const segment of segments) {
      wanted.bytes += segment.bytes;
      wanted.rows += segment.rows.count;
      const row = segment.newest(wanted.key, this.#nowUs);
      if (row === undefined) continue;
      const found = row === 'tied' ? row : { segment, row };
      const best = found === 'tied' || wanted.best === undefined ? found : winner(wanted.best, found);
      if (best === 'tied') wanted.isLeft = true;
      else wanted.best = best;
    }
  }

  #isWithinBudget({ bytes, rows }: Wanted, cell: Cell, more = 0): boolean {
    const rowBytes = rows === 0 ? ROW_BYTES : bytes / rows;
    return bytes + (more + rowsOf(cell)) * rowBytes <= this.#mostBytes;
  }

  /** Collects what the next step of a key may need. */
  #askAhead(wanted: Wanted, cells: Set<Cell>, slots: Set<Slot>): void {
    let [count, rows] = [0, 0];
    for (const cell of wanted.cells.slice(wanted.next)) {
      if (cell.times.earliestUs > this.#nowUs) continue;
      if (wanted.best !== undefined && eventTimestampUs(wanted.best) > cell.times.latestUs) break;
      if (count > 0 && !this.#isWithinBudget(wanted, cell, rows)) break;
      count += 1;
      rows += rowsOf(cell);
      if (cell.ranges === undefined) cells.add(cell);
      else {
        const slot = cell.slots[cell.ranges.rangeOf(wanted.value)] as Slot;
        if (slot.part === null && !this.#loaded.has(slot)) slots.add(slot);
      }
      if (count >= wanted.ahead) break;
    }
    wanted.ahead *= 2;
  }
}

/** Rows of the part of a cell that has a key, at most about. */
function rowsOf({ recordCount, partRows }: Cell): number {
  return Math.min(Number(recordCount), partRows);
}
