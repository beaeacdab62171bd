/**
 * What is asked of an engine that may run elsewhere: the rows of a table that may win, by keys and times alone. The rows that it finds are
 * staged, and the one statement that there is for each question decides among them, so that values are compared in one place.
 */
import { type IcebergType, type Schema, schemaOfFields } from '../iceberg/index.js';
import type { Table } from '../tables/index.js';

/** A column of the source, as the type that it is wanted in. */
export interface ReducedColumn {
  readonly sourceFieldId: number;
  /** The source's own type, or one that it is promoted to. */
  readonly type: IcebergType;
}

/** The columns of a view. */
export interface ReducedColumns {
  readonly joinKeys: readonly ReducedColumn[];
  readonly timestamp: ReducedColumn;
  readonly created: ReducedColumn | null;
  readonly features: readonly ReducedColumn[];
}

/** Some files of the source at one of its snapshots, with the deletes of that, and the rows of them in an interval of event times. */
export interface ReducedRead {
  readonly snapshotId: bigint;
  readonly files: readonly { readonly path: string; readonly sequenceNumber: bigint }[];
  /** Microseconds since the epoch, included; null: no bound. */
  readonly startUs: bigint | null;
  /** Microseconds since the epoch, excluded. */
  readonly endUs: bigint | null;
}

/** A source table in the state that plans know. */
export interface ReducedSource {
  /** `[CATALOG/]NS.TABLE` */
  readonly name: string;
  readonly table: Table;
}

/** Rows that are reduced together. */
export interface ReductionGroup {
  /** The value of the column `g` of its rows. */
  readonly group: number;
  /** The newest rows of each entity, or of each entity and event time. */
  readonly keep: 'newest' | 'all';
  readonly reads: readonly ReducedRead[];
}

/** The rows of each group that tie as the newest by event time, created time and sequence number. */
export interface LatestReduction {
  readonly kind: 'latest';
  readonly source: ReducedSource;
  readonly columns: ReducedColumns;
  readonly groups: readonly ReductionGroup[];
}

/**
 * The rows that tie as the newest for some row of a probe: a table with the columns `k0..`, `hi` (the last event time that counts), `lo` (the
 * first one) if there is a ttl, and `known` (the last created time that counts) if created times count.
 */
export interface PointInTimeReduction {
  readonly kind: 'point-in-time';
  readonly source: ReducedSource;
  readonly columns: ReducedColumns;
  readonly read: ReducedRead;
  readonly hasTtl: boolean;
  readonly knownAsOf: boolean;
}

/** A question whose rows can be reduced. Immutable. Trino gets it as SQL (`trino/compile.ts`); in this process the rooms that ask have their own statements for DuckDB. */
export type Reduction = LatestReduction | PointInTimeReduction;

/** The columns of reduced rows by their names, in order: `g` for the groups of a {@link LatestReduction}, `k0..`, `t`, `c`, `f0..`, `seq`. */
export function namedColumns(columns: ReducedColumns): readonly (readonly [name: string, column: ReducedColumn])[] {
  return [
    ...columns.joinKeys.map((column, index) => [`k${index}`, column] as const),
    ['t', columns.timestamp],
    ...(columns.created === null ? [] : [['c', columns.created] as const]),
    ...columns.features.map((column, index) => [`f${index}`, column] as const),
  ];
}

/** The schema of reduced rows; ids are given when the table is made. */
export function reducedSchema({ kind, columns }: Pick<Reduction, 'kind' | 'columns'>): Schema {
  const group: readonly (readonly [string, IcebergType])[] = kind === 'latest' ? [['g', { kind: 'int' }]] : [];
  const named = namedColumns(columns).map(([name, { type }]) => [name, type] as const);
  return schemaOf([...group, ...named, ['seq', { kind: 'long' }]]);
}

/** A schema of optional columns with fresh field ids, from 1 on: types that come from a table have ids of that table. */
export const schemaOf = (columns: readonly (readonly [name: string, type: IcebergType])[]): Schema =>
  schemaOfFields(columns.map(([name, type]) => ({ id: 0, name, required: false, type })));
