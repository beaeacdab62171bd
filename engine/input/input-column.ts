/** Columns of input files. */
import type { DuckDBType } from '@duckdb/node-api';
import { MoraineError } from '../../errors/index.js';
import type { IcebergType, PrimitiveType } from '../../iceberg/index.js';
import { icebergType } from '../sql/duckdb-type.js';
import { refuseDeepNesting } from '../sql/nesting-limit.js';
import { isPrimitive } from '../sql/sql-type.js';
import { textValueSql } from './text-value.js';

/** Kinds of types whose values are numbers. */
export const NUMBER_KINDS: ReadonlySet<IcebergType['kind']> = new Set(['int', 'long', 'float', 'double', 'decimal']);

/** A column of the input: its name, its type, and the SQL that makes its values. */
export interface InputColumn {
  readonly name: string;
  readonly type: IcebergType;
  readonly sql: string;
  /** Where values are read from text: SQL for that text. A value that is NULL although its text is not does not fit. */
  readonly text?: string;
  /** Where values are read as a nested type: SQL for what does not fit, with its place in the value; null if all of it does. */
  readonly reason?: string;
}

/** An input file as a relation, and its columns over it. */
export interface InputRelation {
  readonly relation: string;
  readonly columns: readonly InputColumn[];
}

/** Types that columns should have, by name; other columns have the type of their values. */
export type TargetTypes = ReadonlyMap<string, IcebergType>;

/** The ways in which columns get their types. */
export interface ColumnTyping {
  readonly targets: TargetTypes;
  /** See `ReadInputOptions`. */
  readonly eventTime: string | undefined;
}

/** Whether a column may hold the points in time of a frame of rows. */
export function isTimeColumn({ eventTime }: ColumnTyping, name: string, names: readonly string[]): boolean {
  if (eventTime === undefined) return false;
  return name === eventTime || !names.includes(eventTime);
}

/** The type that a text column is read as; undefined if none is wanted, or no text is read as it. */
export function textTarget(targets: TargetTypes, name: string): PrimitiveType | undefined {
  const type = targets.get(name);
  return type !== undefined && isPrimitive(type) && type.kind !== 'unknown' ? type : undefined;
}

/** The nested type that the values of a text file are read as; undefined if none is wanted. */
export function nestedTarget(targets: TargetTypes, name: string): IcebergType | undefined {
  const type = targets.get(name);
  return type?.kind === 'struct' || type?.kind === 'list' || type?.kind === 'map' ? type : undefined;
}

/** A column whose texts are read as values of a type. */
export function textColumn(name: string, type: PrimitiveType, text: string): InputColumn {
  return { name, type, text, sql: textValueSql(type, text) ?? text };
}

/** Ids that count up from 1. */
export function provisionalIds(): () => number {
  let id = 0;
  return () => {
    id += 1;
    return id;
  };
}

/** The Iceberg type of a column. @throws TYPE_MISMATCH, UNSUPPORTED_FEATURE for one that nests too deeply */
export function inputType(path: string, name: string, type: DuckDBType): IcebergType {
  const iceberg = icebergType(type, provisionalIds());
  if (iceberg !== undefined) {
    refuseDeepNesting(`${name} of ${path}`, iceberg);
    return iceberg;
  }
  throw new MoraineError(
    'TYPE_MISMATCH',
    `The column ${name} of ${path} has the type ${String(type)}, which no column can have.`,
    {
      details: { path },
    },
  );
}
