/** The runs of the jobs `scale` and `scale-beyond`: what costs are fitted on, and what the fit is tried on. */

import type { BenchSize } from '../job.js';

/** A feature table. */
export interface ScaleTable {
  readonly rows: number;
  readonly entities: number;
  readonly files: number;
  /** Features by type. */
  readonly doubles: number;
  readonly ints?: number;
  readonly texts?: number;
  readonly textKeys?: boolean;
}

/** A run on a table. */
export type ScaleCase = {
  readonly table: string;
  readonly shards: number;
  /** Tables on this machine's disk instead of the store. */
  readonly local?: true;
} & (
  | { readonly run: 'materialize'; readonly buckets: number }
  | { readonly run: 'retrieve'; readonly entityRows: number }
);

/** The tables and runs of a job. */
export interface ScaleGrid {
  readonly tables: Readonly<Record<string, ScaleTable>>;
  readonly cases: readonly ScaleCase[];
}

const K = 1000;
const M = 1000 * K;

const materialize = (table: string, buckets: number, shards = 1): ScaleCase => ({
  run: 'materialize',
  table,
  buckets,
  shards,
});
const retrieve = (table: string, entityRows: number, shards = 1): ScaleCase => ({
  run: 'retrieve',
  table,
  entityRows,
  shards,
});

/** What coefficients are fitted on: one to three million rows. */
export const FIT: ScaleGrid = {
  tables: {
    narrow: { rows: M, entities: 20 * K, files: 10, doubles: 3 },
    plain: { rows: M, entities: 20 * K, files: 10, doubles: 8 },
    dense: { rows: M, entities: 300 * K, files: 10, doubles: 8 },
    scattered: { rows: M, entities: 50 * K, files: 100, doubles: 6 },
    wide: { rows: M, entities: 50 * K, files: 8, doubles: 24 },
    mixed: { rows: 1.5 * M, entities: 100 * K, files: 15, doubles: 4, ints: 4, texts: 2, textKeys: true },
    long: { rows: 3 * M, entities: 60 * K, files: 20, doubles: 8 },
    large: { rows: 3 * M, entities: 600 * K, files: 24, doubles: 5 },
  },
  cases: [
    materialize('narrow', 16),
    materialize('plain', 64),
    materialize('plain', 256),
    { ...materialize('plain', 64), local: true },
    materialize('dense', 64),
    materialize('dense', 256, 2),
    materialize('scattered', 64),
    materialize('scattered', 64, 3),
    materialize('wide', 64),
    materialize('mixed', 64),
    materialize('long', 64),
    materialize('long', 128, 2),
    materialize('large', 128),
    { ...materialize('long', 64), local: true },
    retrieve('narrow', 100 * K),
    retrieve('plain', 100 * K),
    retrieve('plain', 500 * K),
    { ...retrieve('plain', 500 * K), local: true },
    retrieve('dense', 200 * K, 2),
    retrieve('scattered', 200 * K),
    retrieve('scattered', 200 * K, 3),
    retrieve('wide', 300 * K),
    retrieve('mixed', 300 * K),
    retrieve('long', 100 * K),
    retrieve('long', M, 2),
    retrieve('large', 500 * K),
    { ...retrieve('long', 300 * K), local: true },
  ],
};

/** What nothing is fitted on; seven runs are on three times the rows of the largest above. */
export const BEYOND: ScaleGrid = {
  tables: {
    tall: { rows: 9 * M, entities: 100 * K, files: 30, doubles: 8 },
    vast: { rows: 9 * M, entities: 1.5 * M, files: 45, doubles: 4 },
    slim: { rows: 2 * M, entities: 40 * K, files: 12, doubles: 2, ints: 1 },
    broad: { rows: 1.2 * M, entities: 30 * K, files: 6, doubles: 16 },
    parted: { rows: 2 * M, entities: 150 * K, files: 80, doubles: 7 },
    spoken: { rows: 2.5 * M, entities: 80 * K, files: 25, doubles: 3, ints: 2, texts: 4, textKeys: true },
    middle: { rows: 4 * M, entities: 250 * K, files: 16, doubles: 10 },
  },
  cases: [
    materialize('tall', 64),
    materialize('tall', 256, 2),
    materialize('vast', 128),
    materialize('vast', 64, 3),
    materialize('slim', 32),
    materialize('broad', 128),
    materialize('broad', 16, 2),
    materialize('parted', 64),
    materialize('spoken', 64),
    materialize('middle', 256),
    materialize('middle', 64, 4),
    retrieve('tall', 300 * K),
    retrieve('tall', 1.5 * M, 2),
    retrieve('vast', 600 * K),
    retrieve('slim', 400 * K),
    retrieve('broad', 200 * K),
    retrieve('parted', 300 * K, 2),
    retrieve('spoken', 250 * K),
    retrieve('middle', 800 * K),
    retrieve('middle', 150 * K, 4),
  ],
};

/** Training sets and materializations in parts: what the weights of parts are fitted on. */
export const PARTS: ScaleGrid = {
  tables: {
    even: { rows: M, entities: 20 * K, files: 10, doubles: 8 },
    frayed: { rows: 0.8 * M, entities: 40 * K, files: 60, doubles: 6 },
    stout: { rows: 0.5 * M, entities: 30 * K, files: 8, doubles: 24 },
    thin: { rows: 2 * M, entities: 50 * K, files: 12, doubles: 2 },
  },
  cases: [
    retrieve('even', 200 * K, 4),
    retrieve('even', 600 * K, 8),
    retrieve('frayed', 100 * K, 4),
    retrieve('stout', 100 * K, 4),
    retrieve('thin', 300 * K, 5),
    materialize('even', 64, 4),
  ],
};

/** Runs in parts that nothing is fitted on. */
export const PARTS_BEYOND: ScaleGrid = {
  tables: {
    double: { rows: 2 * M, entities: 80 * K, files: 30, doubles: 7 },
    triple: { rows: 3 * M, entities: 150 * K, files: 16, doubles: 10 },
    named: { rows: M, entities: 60 * K, files: 12, doubles: 3, ints: 2, texts: 2, textKeys: true },
  },
  cases: [
    retrieve('double', 300 * K, 6),
    retrieve('triple', 200 * K, 4),
    retrieve('triple', 1.5 * M, 4),
    retrieve('named', 200 * K, 4),
    materialize('double', 64, 4),
  ],
};

/** The grid at a size: S has a tenth of the rows, and says nothing of what the model is good for. */
export function atSize({ tables, cases }: ScaleGrid, size: BenchSize): ScaleGrid {
  if (size === 'M') return { tables, cases };
  const tenth = (count: number): number => Math.ceil(count / 10);
  const small = Object.entries(tables).map(([name, table]) => {
    return [name, { ...table, rows: tenth(table.rows), entities: tenth(table.entities) }] as const;
  });
  return {
    tables: Object.fromEntries(small),
    cases: cases.map((one) => (one.run === 'retrieve' ? { ...one, entityRows: tenth(one.entityRows) } : one)),
  };
}

/** The name of a run in figures and in `docs/scale.md`. */
export function caseName(one: ScaleCase): string {
  const what = one.run === 'materialize' ? `${one.buckets} buckets` : `${one.entityRows / K}k entity rows`;
  return `${one.run} ${one.table}, ${what}, ${one.shards === 1 ? '1 shard' : `${one.shards} shards`}${one.local ? ', local' : ''}`;
}
