/** Records as they came beside the rows that they are, and those that are no rows with what is wrong with them. */
import { randomUUID } from 'node:crypto';
import { type Connection, loadRows, quoteIdentifier, type RecordColumn, sqlType } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import type { Schema } from '../../iceberg/index.js';
import type { OpenedRecords, RejectedRecord } from '../sink-records.js';

/** Columns of a table that no field of a record is taken for. */
export interface KeptColumns {
  /** A column of texts or bytes for the record as it came. Of bytes that are no UTF-8 a column of texts has the replacement character. */
  readonly raw?: string | undefined;
  /**
   * A column of texts for what is wrong with a record that is no row: such a record is written, too, with nulls in all columns but this one and `raw`, which it needs.
   * In place of `badRecords` and dead letters.
   */
  readonly error?: string | undefined;
}

/** @throws MoraineError `TYPE_MISMATCH`, `INVALID_ARGUMENT` for columns that cannot keep what they are to. That the table has them is known. */
export function requireKept({ fields }: Schema, { raw, error }: KeptColumns, mapped: ReadonlySet<string>): void {
  const kindOf = (column: string): string | undefined => fields.find(({ name }) => name === column)?.type.kind;
  const twice =
    [raw, error].find((name) => name !== undefined && mapped.has(name)) ?? (raw === error ? raw : undefined);
  if (twice !== undefined)
    throw new MoraineError('INVALID_ARGUMENT', `The column ${JSON.stringify(twice)} is given twice.`);
  if (raw !== undefined && !['string', 'binary'].includes(kindOf(raw) ?? ''))
    throw new MoraineError(
      'TYPE_MISMATCH',
      `The column ${JSON.stringify(raw)} is to have the records as they came; it must be a string or binary.`,
    );
  if (error === undefined) return;
  if (kindOf(error) !== 'string')
    throw new MoraineError(
      'TYPE_MISMATCH',
      `The column ${JSON.stringify(error)} is to have what is wrong with records; it must be a string.`,
    );
  if (raw === undefined)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `Records with their errors in ${JSON.stringify(error)} would be lost otherwise: name a column for the records as they came (raw), too.`,
    );
  const required = fields.find((field) => field.required && field.name !== raw);
  if (required !== undefined)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The column ${JSON.stringify(required.name)} is required, and a record that is no row has no value for it: make it optional, or give such records to a dead-letter table.`,
    );
}

/** Records of a batch, judged: rows by a statement, in the order of the records. */
export interface JudgedRows extends Pick<OpenedRecords, 'sql' | 'rows' | 'close'> {
  readonly columns: readonly RecordColumn[];
  /** The records that are rows, as they came, in their order. */
  readonly raws: readonly Uint8Array[];
  readonly rejected: readonly RejectedRecord[];
}

/**
 * Rows with the columns that keep records, one for each record that is no row among them if those are to be kept.
 * @throws MoraineError `INTERNAL` if there are not as many records as rows
 */
export async function withKept(
  connection: Connection,
  { fields }: Schema,
  { raw, error }: KeptColumns & { readonly raw: string },
  judged: JudgedRows,
): Promise<OpenedRecords> {
  const { sql, rows, raws, columns, rejected } = judged;
  if (BigInt(raws.length) !== rows)
    throw new MoraineError('INTERNAL', `There are ${raws.length} records for ${rows} rows.`);
  const type = fields.find(({ name }) => name === raw)?.type ?? { kind: 'string' };
  const valueOf = (bytes: Uint8Array): string | Uint8Array =>
    type.kind === 'binary' ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  const kept = error === undefined ? [] : rejected;
  const table = `sink_kept_${randomUUID().replaceAll('-', '_')}`;
  const close = async (): Promise<void> => {
    await connection.run(`DROP TABLE IF EXISTS ${table}`);
    await judged.close();
  };
  try {
    await loadRows(
      connection,
      table,
      [{ kind: 'long' }, type, { kind: 'string' }],
      [
        ...raws.map((bytes, place) => [BigInt(place), valueOf(bytes), null]),
        ...kept.map(({ raw: bytes, reason, message }) => [null, valueOf(bytes), `${reason}: ${message}`]),
      ],
    );
  } catch (failure) {
    await close();
    throw failure;
  }
  const own = [`c1 AS ${quoteIdentifier(raw)}`, ...(error === undefined ? [] : [`c2 AS ${quoteIdentifier(error)}`])];
  const names = columns.map(({ name }) => quoteIdentifier(name));
  const placed = `SELECT *, row_number() OVER () - 1 AS ${PLACE} FROM (${sql})`;
  const good = `(SELECT ${[...names, ...own].join(', ')} FROM (${placed}) JOIN ${table} ON c0 = ${PLACE} ORDER BY c0)`;
  const nulls = columns.map(({ name, type: of }) => `NULL::${sqlType(of)} AS ${quoteIdentifier(name)}`);
  const bad = `(SELECT ${[...nulls, ...own].join(', ')} FROM ${table} WHERE c0 IS NULL)`;
  return {
    sql: kept.length === 0 ? good : `${good} UNION ALL ${bad}`,
    rows: rows + BigInt(kept.length),
    rejected: error === undefined ? rejected : [],
    close,
  };
}

/** No column of a table has this name. */
const PLACE = 'moraine_place_of_record';
