/** Arrow data as records of a sink. */
import { randomUUID } from 'node:crypto';
import type { Schema as ArrowSchema, Table as ArrowTable, Field, RecordBatch } from 'apache-arrow';
import { arrowColumnTypes, type Connection, knownRelation, quoteIdentifier, registerArrow } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { canPromote, type Schema, type SchemaChange, typeToString } from '../iceberg/index.js';
import type { OpenedRecords, SinkRecords } from '../sink/index.js';
import { exactRows, type InputNames } from './input-columns.js';

const NAMES: InputNames = { input: 'the Arrow data', target: 'the table' };

export interface ArrowRecordsOptions {
  /** The schema that the rows must have: the same columns in the same order, of the same types, and nulls only where it allows them. */
  readonly schema?: ArrowSchema;
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
 * What its batch throws when it is staged: `COLUMN_NOT_FOUND` for a column that the table lacks; `TYPE_MISMATCH` for a value that has no exact counterpart, for
 * types that cannot be taken in, and for nulls in a required column; `INVALID_ARGUMENT` for columns whose names differ only by case
 */
export function arrowRecords(rows: ArrowTable | RecordBatch, { schema }: ArrowRecordsOptions = {}): SinkRecords {
  if (schema !== undefined) requireSchema(rows.schema, schema);
  const batches = 'batches' in rows ? rows.batches : [rows];
  const table = { schema: rows.schema, batches };
  return {
    count: rows.numRows,
    bytes: batches.reduce((sum, { data }) => sum + data.byteLength, 0),
    open: (connection, schema) => openArrow(connection, schema, table, BigInt(rows.numRows)),
    changes: (_, schema) => changesForArrow(schema, table),
  };
}

/** Columns that the table lacks, wider types, and required columns that have nulls here or are not here at all. */
async function changesForArrow(
  schema: Schema,
  table: Pick<ArrowTable, 'schema' | 'batches'>,
): Promise<readonly SchemaChange[]> {
  const given = [...(await arrowColumnTypes(table))].map(([name, type]) => ({ name, type }));
  const known = new Map(schema.fields.map((field) => [field.name, field]));
  const present = new Set(given.map((field) => field.name));
  const hasNulls = (column: string): boolean =>
    !present.has(column) || table.batches.some((batch) => (batch.getChild(column)?.nullCount ?? 0) > 0);
  return [
    ...schema.fields
      .filter(({ name: column, required }) => required && hasNulls(column))
      .map(({ name: column }): SchemaChange => ({ change: 'make-optional', column })),
    ...given.flatMap(({ name: column, type }): readonly SchemaChange[] => {
      const before = known.get(column)?.type;
      if (before === undefined) return [{ change: 'add', name: column, type }];
      return typeToString(before) !== typeToString(type) && canPromote(before, type)
        ? [{ change: 'promote', column, type }]
        : [];
    }),
  ];
}

async function openArrow(
  connection: Connection,
  schema: Schema,
  table: Pick<ArrowTable, 'schema' | 'batches'>,
  rows: bigint,
): Promise<OpenedRecords> {
  const name = `arrow_${randomUUID()}`;
  const types = await registerArrow(connection, name, table);
  const given = knownRelation(`FROM ${quoteIdentifier(name)}`, NAMES.input, types);
  const input = { schema: given.schema, sql: `SELECT * FROM ${given.relation}` };
  const select = await exactRows(connection, input, schema, NAMES);
  const columns = schema.fields.map((field) => quoteIdentifier(field.name)).join(', ');
  // The copies end with the connection, which is closed when the batch is staged.
  return { sql: `SELECT * FROM (${select}) AS arrow(${columns})`, rows, rejected: [], close: () => Promise.resolve() };
}
