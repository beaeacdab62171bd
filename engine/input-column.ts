/** Columns of input files. */
import type { DuckDBType } from '@duckdb/node-api';
import { MoraineError } from '../errors/index.js';
import type { IcebergType } from '../iceberg/index.js';
import { icebergType } from './duckdb-type.js';

/** A column of the input: its name, its type, and the SQL that makes its values. */
export interface InputColumn {
  readonly name: string;
  readonly type: IcebergType;
  readonly sql: string;
}

/** Ids that count up from 1. */
export function provisionalIds(): () => number {
  let id = 0;
  return () => {
    id += 1;
    return id;
  };
}

/** The Iceberg type of a column. @throws TYPE_MISMATCH */
export function inputType(path: string, name: string, type: DuckDBType): IcebergType {
  const iceberg = icebergType(type, provisionalIds());
  if (iceberg !== undefined) return iceberg;
  throw new MoraineError(
    'TYPE_MISMATCH',
    `The column ${name} of ${path} has the type ${String(type)}, which no column can have.`,
    {
      details: { path },
    },
  );
}
