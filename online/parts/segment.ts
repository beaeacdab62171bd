/** Decoded rows of an online table with an index of their keys. Immutable. */
import type { PlainValue } from '../../engine/index.js';
import type { NestedField } from '../../iceberg/index.js';
import type { Turns } from '../../processes/index.js';
import { type Column, columnBytes, gather, type Piece, sameAt, valueAt } from './column.js';
import { compareRows, KeyIndex, type LookupKey, longAt, type OrderingColumns } from './key-index.js';

/** Decoded columns that belong together: the rows have the same numbers in all of them. */
export interface Rows extends OrderingColumns {
  readonly count: number;
  /** In the order of the table's features. */
  readonly features: readonly Column[];
}

/** Some rows of others. */
export interface SomeRows {
  readonly from: Rows;
  /** Null: every row. */
  readonly rows: Int32Array | null;
}

/** A row of a segment. */
export interface RowPlace {
  readonly segment: Segment;
  readonly row: number;
}

/** Rows and their index. */
export class Segment {
  readonly rows: Rows;
  readonly #index: KeyIndex;
  /** Bytes of memory. */
  readonly bytes: number;

  constructor(rows: Rows) {
    this.rows = rows;
    this.#index = new KeyIndex(rows, rows.count);
    this.bytes = columnsOf(rows).reduce((sum, column) => sum + columnBytes(column), this.#index.bytes + OBJECT_BYTES);
  }

  static async of(some: readonly SomeRows[], turns: Turns): Promise<Segment> {
    const rows = await gatherRows(some, turns);
    const segment = new Segment(rows);
    await turns.give();
    return segment;
  }

  /**
   * The row of a key that wins at a time; undefined if there is none. `'tied'`: two rows differ in nothing but their features.
   */
  newest(key: LookupKey, nowUs: bigint): number | 'tied' | undefined {
    const number = this.#index.find(key);
    if (number === 0) return undefined;
    const count = this.#index.countOf(number);
    for (let place = 0; place < count; place += 1) {
      const row = this.#index.rowOf(number, place);
      if ((longAt(this.rows.eventTimestamp, row) as bigint) > nowUs) continue;
      for (let next = place + 1; next < count; next += 1) {
        const other = this.#index.rowOf(number, next);
        if (compareRows(this.rows, row, this.rows, other) !== 0) break;
        if (!sameFeatures(this.rows, row, this.rows, other)) return 'tied';
      }
      return row;
    }
    return undefined;
  }
}

const OBJECT_BYTES = 1_000;

/** The one of two rows of a key that wins; `'tied'` if only their features differ. */
export function winner(left: RowPlace, right: RowPlace): RowPlace | 'tied' {
  const order = compareRows(left.segment.rows, left.row, right.segment.rows, right.row);
  if (order !== 0) return order < 0 ? left : right;
  return sameFeatures(left.segment.rows, left.row, right.segment.rows, right.row) ? left : 'tied';
}

function sameFeatures(left: Rows, a: number, right: Rows, b: number): boolean {
  return left.features.every((column, index) => sameAt(column, a, right.features[index] as Column, b));
}

/** The event time of a row, in microseconds. */
export function eventTimestampUs({ segment, row }: RowPlace): bigint {
  return longAt(segment.rows.eventTimestamp, row) as bigint;
}

/** The value of a feature. @param index the feature's place among the table's */
export function featureAt({ segment, row }: RowPlace, index: number, { type }: NestedField): PlainValue {
  return valueAt(type, segment.rows.features[index] as Column, row);
}

/** The same rows, in arrays of their own. Others have their turn between columns. */
export async function gatherRows(given: readonly SomeRows[], turns: Turns): Promise<Rows> {
  const some = given.filter((of) => countOf(of) > 0);
  if (some.length === 0) return NO_ROWS;
  const ordering = await gatherOrdering(some, turns);
  const features: Column[] = [];
  for (const index of some[0]?.from.features.keys() ?? [])
    features.push(await gatherColumn(some, (rows) => rows.features[index] as Column, turns));
  return { count: countOfAll(some), ...ordering, features };
}

/** What orders the same rows. */
export async function gatherOrdering(given: readonly SomeRows[], turns: Turns): Promise<OrderingColumns> {
  const some = given.filter((of) => countOf(of) > 0);
  if (some.length === 0) return NO_ROWS;
  return {
    key: await gatherColumn(some, ({ key }) => key, turns),
    eventTimestamp: await gatherColumn(some, ({ eventTimestamp }) => eventTimestamp, turns),
    created: await gatherColumn(some, ({ created }) => created, turns),
    sequenceNumber: await gatherColumn(some, ({ sequenceNumber }) => sequenceNumber, turns),
  };
}

async function gatherColumn(some: readonly SomeRows[], of: (rows: Rows) => Column, turns: Turns): Promise<Column> {
  const pieces = some.map((one): Piece => ({ column: of(one.from), rows: one.rows, count: countOf(one) }));
  const gathered = gather(pieces, countOfAll(some));
  await turns.give();
  return gathered;
}

const NOTHING: Column = { storage: 'fixed', values: new BigInt64Array(0), width: 1, validity: null };

const NO_ROWS: Rows = {
  count: 0,
  key: NOTHING,
  eventTimestamp: NOTHING,
  created: NOTHING,
  sequenceNumber: NOTHING,
  features: [],
};

/** Every row. */
export function allRows(from: Rows): SomeRows {
  return { from, rows: null };
}

/** How many rows there are. */
export function countOfAll(some: readonly SomeRows[]): number {
  return some.reduce((sum, of) => sum + countOf(of), 0);
}

export function countOf({ from, rows }: SomeRows): number {
  return rows?.length ?? from.count;
}

function columnsOf({ key, eventTimestamp, created, sequenceNumber, features }: Rows): readonly Column[] {
  return [key, eventTimestamp, created, sequenceNumber, ...features];
}
