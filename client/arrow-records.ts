/** Arrow data as records of a sink. */
import { randomUUID } from 'node:crypto';
import type { Schema as ArrowSchema, Table as ArrowTable, Data, Field, RecordBatch, Vector } from 'apache-arrow';
import { type ArrowColumn, arrowColumnTypes, type Connection, copyArrow, quoteIdentifier } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import {
  canPromote,
  childFields,
  type IcebergType,
  type NestedField,
  type Schema,
  type SchemaChange,
  typeToString,
} from '../iceberg/index.js';
import type { EvolvedSchema, OpenedRecords, RejectedRecord, SinkRecords } from '../sink/index.js';
import { findMisfits, type InputNames, type KnownColumn, matchRows, selectSql } from './input-columns.js';
import { judgeRows } from './judge-rows.js';

/** `Type.Bool`: the library is not loaded for it. */
const BOOL = 6;

/** Buffers that not every type has. */
interface PlainData {
  readonly typeId: number;
  readonly length: number;
  readonly nullBitmap?: Uint8Array;
  readonly valueOffsets?: Int32Array | BigInt64Array;
  readonly values?: { readonly byteLength: number };
  readonly typeIds?: Int8Array;
  readonly children?: readonly Data[];
  readonly variadicBuffers?: readonly Uint8Array[];
}

const NAMES: InputNames = { input: 'the Arrow data', target: 'the table' };

export interface ArrowRecordsOptions {
  /** The schema that the rows must have: the same columns in the same order, of the same types, and nulls only where it allows them. */
  readonly schema?: ArrowSchema;
  /**
   * A row with a value that its column cannot hold, or without one that is required: `fail`, by default, stops before its batch and names the first; `drop` counts it and goes on. It goes to the dead letters
   * of the sink as JSON. Columns that do not fit stop before the batch in any case.
   */
  readonly badRecords?: 'fail' | 'drop';
  /** Position of the first row; each of the others is one further. Without it rejected rows have none. */
  readonly from?: bigint;
  /** The partition of the source that they are of; `arrow` by default. */
  readonly partition?: string;
}

/** @throws TYPE_MISMATCH */
function requireSchema(given: ArrowSchema, wanted: ArrowSchema): void {
  const text = ({ name, type, nullable }: Field): string => `${name}: ${String(type)}${nullable ? '' : ' not null'}`;
  const [has, needs] = [given.fields.map(text), wanted.fields.map(text)];
  // Columns that never have nulls may stand where nulls are allowed.
  const fits = (at: number): boolean => has[at] === needs[at] || `${has[at] ?? ''}` === `${needs[at] ?? ''} not null`;
  const wrong = Array.from({ length: Math.max(has.length, needs.length) }, (_, at) => at).find((at) => !fits(at));
  if (wrong === undefined) return;
  const message = `Column ${wrong + 1} of the Arrow data is ${has[wrong] ?? 'missing'}; the schema has ${needs[wrong] ?? 'no further column'}.`;
  throw new MoraineError('TYPE_MISMATCH', message);
}

/**
 * The rows of an Arrow table or record batch as records for `writeBatch`. Columns are matched by name, and every value must fit its column exactly; columns
 * that the data lacks are null. The buffers must not change before the batch is committed.
 * What its batch throws when it is staged: `COLUMN_NOT_FOUND` for a column that the table lacks; `TYPE_MISMATCH` for types that cannot be taken in, for a required column that is not
 * there, for text that is not UTF-8, and, unless they are dropped, for a value that has no exact counterpart and for nulls in a required column; `INVALID_ARGUMENT` for columns whose names
 * differ only by case
 */
export function arrowRecords(rows: ArrowTable | RecordBatch, options: ArrowRecordsOptions = {}): SinkRecords {
  if (options.schema !== undefined) requireSchema(rows.schema, options.schema);
  const batches = 'batches' in rows ? rows.batches : [rows];
  const table = { schema: rows.schema, batches };
  return {
    count: rows.numRows,
    bytes: batches.reduce((sum, { data }) => sum + bytesOf(data), 0),
    open: (connection, schema) => openArrow(connection, schema, table, options),
    changes: (connection, schema, evolved) => lastingChanges(connection, schema, table, evolved),
  };
}

const bytesOfBits = (bits: number): number => Math.ceil(bits / 8);

/** Bytes of rows. A slice has whole buffers of what it was cut from, those of texts, lists and bits: its share counts. */
function bytesOf(data: Data): number {
  const plain = data as PlainData;
  const { typeId, length, nullBitmap, valueOffsets, values, typeIds, children = [], variadicBuffers = [] } = plain;
  const bits = nullBitmap === undefined || nullBitmap.length === 0 ? 0 : bytesOfBits(length);
  const whole = [valueOffsets, typeIds, ...variadicBuffers].map((buffer) => buffer?.byteLength ?? 0);
  const own = (buffers: readonly number[]): number => buffers.reduce((sum, bytes) => sum + bytes, bits);
  if (valueOffsets === undefined) {
    const valueBytes = typeId === BOOL ? bytesOfBits(length) : (values?.byteLength ?? 0);
    return own([...whole, valueBytes, ...children.map(bytesOf)]);
  }
  const [first, last] = [Number(valueOffsets[0] ?? 0), Number(valueOffsets[length] ?? 0)];
  const inside = children.map((child) => bytesOf(child.slice(first, last - first)));
  return own([...whole, values === undefined ? 0 : last - first, ...inside]);
}

/** Changes that rows ask for which are rows after them: a null of a row that is none for another reason makes no column optional. */
async function lastingChanges(
  connection: Connection,
  schema: Schema,
  table: Pick<ArrowTable, 'schema' | 'batches'>,
  evolved: EvolvedSchema | undefined,
): Promise<readonly SchemaChange[]> {
  const changes = await changesForArrow(schema, table);
  const isOfRows = (change: SchemaChange): boolean =>
    change.change === 'make-optional' && table.schema.fields.some(({ name }) => name === change.column);
  if (evolved === undefined || !changes.some(isOfRows)) return changes;
  const { bad, close } = await judgedArrow(connection, evolved(schema, changes), table);
  await close();
  if (bad.length === 0) return changes;
  const left = new Set(bad.map(({ row }) => Number(row)));
  return changes.filter(
    (change) => change.change !== 'make-optional' || !isOfRows(change) || hasNullBeside(table, change.column, left),
  );
}

/** Whether a column has a null in another row than some. */
function hasNullBeside({ batches }: Pick<ArrowTable, 'batches'>, column: string, some: ReadonlySet<number>): boolean {
  let row = -1;
  for (const batch of batches)
    for (const value of batch.getChild(column) ?? []) {
      row += 1;
      if (value === null && !some.has(row)) return true;
    }
  return false;
}

/** Columns that the table lacks, wider types, and required columns that have nulls here or are not here at all. */
async function changesForArrow(
  schema: Schema,
  table: Pick<ArrowTable, 'schema' | 'batches'>,
): Promise<readonly SchemaChange[]> {
  const given = [...(await arrowColumnTypes(table))].map(([name, type]) => ({ name, type }));
  const known = new Map(schema.fields.map((field) => [field.name, field]));
  // Of names that differ by letter case only one is a column.
  const taken = new Set(schema.fields.map((field) => field.name.toLowerCase()));
  const present = new Set(given.map((field) => field.name));
  const hasNulls = (column: string): boolean =>
    !present.has(column) || table.batches.some((batch) => hasNull(batch.getChild(column)));
  return [
    ...schema.fields
      .filter(({ name: column, required }) => required && hasNulls(column))
      .map(({ name: column }): SchemaChange => ({ change: 'make-optional', column })),
    ...given.flatMap(({ name: column, type }): readonly SchemaChange[] => {
      const before = known.get(column)?.type;
      if (before === undefined) return taken.has(column.toLowerCase()) ? [] : [{ change: 'add', name: column, type }];
      return typeToString(before) !== typeToString(type) && canPromote(before, type)
        ? [{ change: 'promote', column, type }]
        : [];
    }),
  ];
}

/** Keys of a dictionary that are no nulls may be those of its nulls. */
function hasNull(column: Vector | null): boolean {
  if (column === null || column.nullCount > 0) return column !== null;
  const mayHave = column.data.some(({ dictionary }) => (dictionary?.nullCount ?? 0) > 0);
  return mayHave && Array.from(column).includes(null);
}

async function openArrow(
  connection: Connection,
  schema: Schema,
  table: Pick<ArrowTable, 'schema' | 'batches'>,
  options: ArrowRecordsOptions,
): Promise<OpenedRecords> {
  const rows = table.batches.reduce((sum, { numRows }) => sum + BigInt(numRows), 0n);
  const { sql, bad, close } = await judgedArrow(connection, schema, table);
  const { from, partition = 'arrow' } = options;
  const rejected = bad.map(({ row, reason, message, json }): RejectedRecord => {
    const position = from === undefined ? null : { partition, offset: from + row };
    const place = position === null ? `row ${row}` : `offset ${position.offset}`;
    return { reason, message: `${partition}, ${place}: ${message}`, raw: Buffer.from(json), position };
  });
  const [first] = rejected;
  if (first !== undefined && options.badRecords !== 'drop') {
    await close();
    throw rejectionError(first, rejected.length);
  }
  return { sql: named(sql, schema), rows: rows - BigInt(bad.length), rejected, close };
}

/** Rows judged: a statement that gives those that fit, and the others. */
async function judgedArrow(
  connection: Connection,
  schema: Schema,
  table: Pick<ArrowTable, 'schema' | 'batches'>,
): Promise<Awaited<ReturnType<typeof judgeRows>>> {
  const name = `arrow_${randomUUID()}`;
  const input = inputOf(await copyArrow(connection, name, table), name);
  const matched = matchRows(input, schema, NAMES);
  // The copies end with the connection, which is closed when the batch is staged.
  if ((await findMisfits(connection, matched)).length === 0)
    return { sql: selectSql(matched), bad: [], close: () => Promise.resolve() };
  return await judgeRows(connection, matched, input.schema, input.known);
}

/** Names the first row that does not fit. */
function rejectionError({ reason, message, position }: RejectedRecord, count: number): MoraineError {
  const details = { reason, ...(position === null ? {} : { offset: String(position.offset) }) };
  const others = count === 1 ? '' : ` (${count} rows do not fit)`;
  return new MoraineError('TYPE_MISMATCH', `${message}${others}.`, { details });
}

/** Copied rows, with the columns `mN` and `rN` of those that may have values which are none of their type. */
function inputOf(columns: readonly ArrowColumn[], name: string) {
  const known = columns.map(({ hasNulls, misfit, type }, index): KnownColumn => {
    if (misfit === undefined) return { hasNulls };
    return { hasNulls, misfit: `m${index}`, ...(isNested(type) ? {} : { raw: `r${index}` }) };
  });
  const further = columns.flatMap(({ misfit, type }, index) =>
    misfit === undefined ? [] : [misfit, ...(isNested(type) ? [] : [`c${index}`])],
  );
  const values = [...columns.map(({ sql }) => sql), ...further];
  const fields = columns.map(({ name: column, type }, index): NestedField => {
    return { id: index + 1, name: column, required: false, type };
  });
  const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields };
  return { schema, known, sql: `SELECT ${values.join(', ')} FROM ${quoteIdentifier(name)}` };
}

const isNested = (type: IcebergType): boolean => type.kind === 'struct' || childFields(type).length > 0;

/** A statement with the columns of the table by name. */
const named = (sql: string, { fields }: Schema): string =>
  `SELECT * FROM (${sql}) AS arrow(${fields.map((field) => quoteIdentifier(field.name)).join(', ')})`;
