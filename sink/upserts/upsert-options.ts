/** What a sink that upserts is told, and whether its table can have it. Pure. */
import { MoraineError } from '../../errors/index.js';
import { childFields, type NestedField, type Schema } from '../../iceberg/index.js';

/** Rows of one key become one row. */
export interface UpsertOptions {
  /** Required columns that tell rows apart: no floating-point numbers, nothing nested. */
  readonly key: readonly string[];
  /**
   * A column by which the row of a key is chosen: the highest value stays, null is below all values and NaN above; of equal ones that which was read last.
   */
  readonly order: string;
}

/** Columns of an upsert as the table has them. */
export interface UpsertColumns {
  readonly key: readonly NestedField[];
  readonly order: NestedField;
}

/** @throws MoraineError `COLUMN_NOT_FOUND`, `INVALID_ARGUMENT` for columns that cannot be a key or an order */
export function upsertColumns({ fields }: Schema, { key, order }: UpsertOptions): UpsertColumns {
  if (key.length === 0 || new Set(key).size < key.length)
    throw new MoraineError('INVALID_ARGUMENT', 'An upsert needs the columns of its key, each once.');
  const columnOf = (name: string): NestedField => {
    const field = fields.find((each) => each.name === name);
    if (field !== undefined) return field;
    const known = fields.map((each) => each.name).join(', ');
    throw new MoraineError('COLUMN_NOT_FOUND', `The table has no column ${JSON.stringify(name)}; it has ${known}.`);
  };
  const keys = key.map(columnOf);
  const odd = keys.find(
    ({ required, type }) => !required || type.kind === 'float' || type.kind === 'double' || isNested(type),
  );
  if (odd !== undefined)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The column ${JSON.stringify(odd.name)} cannot be of a key: it must be required, and neither a floating-point number nor nested.`,
    );
  const ordered = columnOf(order);
  if (isNested(ordered.type))
    throw new MoraineError('INVALID_ARGUMENT', `Rows cannot be ordered by the nested column ${JSON.stringify(order)}.`);
  return { key: keys, order: ordered };
}

const isNested = (type: NestedField['type']): boolean => type.kind === 'struct' || childFields(type).length > 0;
