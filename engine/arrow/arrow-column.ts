import type { IcebergType } from '../../iceberg/index.js';

/** A column of Arrow rows that were copied. */
export interface ArrowColumn {
  readonly name: string;
  /** As `registerArrow` gives it. */
  readonly type: IcebergType;
  /** SQL of its values, from the columns of the copy. */
  readonly sql: string;
  /** Where some of them may be none of the type, such as a point in time that nothing can hold: SQL that is true for these. Their values are null, but for times within nested ones. */
  readonly misfit?: string;
  readonly hasNulls: boolean;
}
