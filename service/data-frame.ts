/** Data frames of requests, column by column, as rows of a batch. */
import { LosslessNumber } from 'lossless-json';
import { didYouMean, MoraineError } from '../errors/index.js';
import { type NestedField, typeToString } from '../iceberg/index.js';
import type { BatchColumns, FeatureValue } from '../online/index.js';
import { columnLength } from './body-parts.js';
import { featureValueOfJson } from './feature-value-json.js';

/** Columns by name, of one length. */
export type DataFrame = ReadonlyMap<string, readonly unknown[]>;

/** Feast gives views without entities this join key. */
export const FEAST_DUMMY_KEY = '__dummy_id';

/**
 * The columns of a body's `df`.
 * @throws INVALID_ARGUMENT for columns of different lengths
 */
export function dataFrameOf(df: Readonly<Record<string, readonly unknown[]>>): DataFrame {
  const columns = new Map(Object.entries(df));
  columnLength(columns, "The body's df has");
  return columns;
}

export function rowCount(frame: DataFrame): number {
  const [first] = frame.values();
  return first?.length ?? 0;
}

/**
 * The rows of a data frame with the columns of a batch.
 * @param label for messages: `feature view 'x'`, `table ns.x`
 * @throws INVALID_ARGUMENT naming the place in the body
 */
export function batchRowsOf(frame: DataFrame, batch: BatchColumns, label: string): readonly FeatureValue[][] {
  const { fields } = batch.schema;
  const named = byTargetName(frame, batch, label);
  const rows = Array.from({ length: rowCount(frame) }, (): FeatureValue[] => []);
  if (rows.length === 0) return rows;
  for (const field of fields) {
    const source = named.get(field.name);
    if (source === undefined) requireAbsent(field, batch, label);
    else for (const [row, json] of source.column.entries()) rows[row]?.push(valueAt(field, json, source.name, row));
    if (source === undefined) for (const row of rows) row.push(null);
  }
  return rows;
}

interface NamedColumn {
  /** As the body calls it. */
  readonly name: string;
  readonly column: readonly unknown[];
}

/** Columns by the names of the batch. */
function byTargetName(
  frame: DataFrame,
  { schema, aliases }: BatchColumns,
  label: string,
): ReadonlyMap<string, NamedColumn> {
  const targets = new Set(schema.fields.map(({ name }) => name));
  const named = new Map<string, NamedColumn>();
  for (const [name, column] of frame) {
    const target = aliases.get(name) ?? name;
    if (!targets.has(target)) {
      if (name === FEAST_DUMMY_KEY) continue;
      const known = [...targets, ...aliases.keys()];
      throw invalid(`The body's df has a column '${name}', which ${label} does not have. ${didYouMean(name, known)}`);
    }
    const other = named.get(target);
    if (other !== undefined)
      throw invalid(`The body's df has two columns for ${target}: '${other.name}' and '${name}'.`);
    named.set(target, { name, column });
  }
  return named;
}

function requireAbsent({ name, required }: NestedField, { features }: BatchColumns, label: string): void {
  if (required) throw invalid(`The body's df has no column '${name}', which ${label} needs.`);
  if (!features.includes(name)) return;
  throw invalid(
    `The body's df has no column for the feature '${name}' of ${label}: give null where there is no value.`,
  );
}

function valueAt({ type, required }: NestedField, json: unknown, column: string, row: number): FeatureValue {
  const value = featureValueOfJson(type, json);
  if (value === undefined)
    throw invalid(`The body's df.${column}[${row}] is ${textOf(json)}, which is not of type ${typeToString(type)}.`);
  if (value === null && required)
    throw invalid(`The body's df.${column}[${row}] is null, but every row needs a value.`);
  return value;
}

function textOf(json: unknown): string {
  if (Array.isArray(json)) return 'an array';
  if (typeof json === 'object' && json !== null && !(json instanceof LosslessNumber)) return 'an object';
  const text = typeof json === 'string' ? JSON.stringify(json) : String(json);
  return text.length <= 100 ? text : `${text.slice(0, 100)}..`;
}

const invalid = (message: string): MoraineError => new MoraineError('INVALID_ARGUMENT', message);
