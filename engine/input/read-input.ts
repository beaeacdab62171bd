/** Files that users bring: Parquet, CSV and JSON Lines, with the schema that their values have. */

import { access } from 'node:fs/promises';
import { type ErrorCode, isMoraineError, MoraineError } from '../../errors/index.js';
import { assignFreshIds, type IcebergType, type Schema } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { quoteIdentifier } from '../sql/sql-text.js';
import { type InputColumn, provisionalIds, type TargetTypes } from './input-column.js';
import { inferCsv, lineOfRecord } from './input-csv.js';
import { inferJson } from './input-json.js';
import { type PlaceOfRow, refuseMisfits } from './input-misfits.js';
import { inferParquet } from './input-parquet.js';

export type InputFormat = 'parquet' | 'csv' | 'jsonl';

/** An input file as a relation. */
export interface Input {
  /** Every column optional, ids from 1. */
  readonly schema: Schema;
  /** A statement that gives the rows, columns in the order of the schema and of its types. */
  readonly sql: string;
}

/** The format that a file's extension tells. @throws INVALID_ARGUMENT when it tells none */
export function inputFormat(path: string): InputFormat {
  if (/\.parquet$/i.test(path)) return 'parquet';
  if (/\.(csv|tsv)(\.gz)?$/i.test(path)) return 'csv';
  if (/\.(jsonl|ndjson|json)(\.gz)?$/i.test(path)) return 'jsonl';
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `The format of ${path} is not told by its name: it should end in .parquet, .csv, .tsv, .jsonl, .ndjson or .json.`,
  );
}

export interface ReadInputOptions {
  /** Told by the file's extension unless given. */
  readonly format?: InputFormat | undefined;
  /**
   * Types that columns must have where they are text in the file (all of CSV and JSON; nested values in CSV are JSON text): every value
   * is read as that type, exactly. Other columns get the type that their values have.
   */
  readonly types?: TargetTypes | undefined;
  /**
   * For a frame of rows with points in time: the name of their column. Text there may have nanoseconds, and zones or none, which is UTC;
   * where no column has the name, this holds for every column. Nanoseconds of Parquet files stay nanoseconds. Columns without a type or
   * a value that tells it have the type `unknown`, by default string; JSON without rows has no columns, by default it is refused.
   */
  readonly eventTime?: string | undefined;
}

/**
 * Reads the schema of an input file. Its folder has to be among the engine's allowed directories. Rows that cannot be read are
 * found when the statement runs: classify its errors with {@link inputError}.
 * @throws INPUT_UNREADABLE with the reason, and the line where it is known; TYPE_MISMATCH for a type that no column can have, and
 * for a value that does not fit the wanted type of its column
 */
export async function readInput(
  connection: Connection,
  path: string,
  { format = inputFormat(path), types = new Map(), eventTime }: ReadInputOptions = {},
): Promise<Input> {
  const readers = { parquet: inferParquet, csv: inferCsv, jsonl: inferJson };
  await access(path).catch((cause: unknown) => {
    throw new MoraineError('INPUT_UNREADABLE', `The input file ${path} does not exist or cannot be opened.`, {
      details: { path },
      cause,
    });
  });
  try {
    const input = await readers[format](connection, path, { targets: types, eventTime });
    const { relation } = input;
    const columns = eventTime === undefined ? input.columns.map(withType) : input.columns;
    refuseNamelessColumns(path, columns);
    await refuseMisfits(connection, input, placeIn(path, format));
    const nextId = provisionalIds();
    const fields = columns.map(({ name, type }) => ({ id: nextId(), name, required: false, type }));
    const schema = assignFreshIds({ schemaId: 0, fields: renumber(fields, nextId), identifierFieldIds: [] });
    const selected = columns.map((column) => `${column.sql} AS ${quoteIdentifier(column.name)}`);
    return { schema, sql: `SELECT ${selected.length === 0 ? '*' : selected.join(', ')} FROM ${relation}` };
  } catch (error) {
    throw inputError(path, error);
  }
}

/** A column without values is one of texts. */
function withType(column: InputColumn): InputColumn {
  return column.type.kind === 'unknown' ? { ...column, type: { kind: 'string' }, sql: 'NULL::VARCHAR' } : column;
}

function refuseNamelessColumns(path: string, columns: readonly { readonly name: string }[]): void {
  const index = columns.findIndex(({ name }) => name === '' || name.includes('\0'));
  if (index < 0) return;
  const place = `column ${index + 1} of ${path}`;
  throw new MoraineError('INPUT_UNREADABLE', `${place} has no name that a column can have.`, { details: { path } });
}

function placeIn(path: string, format: InputFormat): PlaceOfRow {
  if (format !== 'csv') return (row) => Promise.resolve(`row ${row + 1}`);
  return async (row) => `line ${await lineOfRecord(path, row)}`;
}

/** Nested ids were given for each column on its own: they are made unique before fresh ones are assigned. */
function renumber<T extends { readonly type: IcebergType }>(fields: readonly T[], nextId: () => number): T[] {
  const again = (type: IcebergType): IcebergType => {
    switch (type.kind) {
      case 'struct':
        return {
          ...type,
          fields: renumber(
            type.fields.map((field) => ({ ...field, id: nextId() })),
            nextId,
          ),
        };
      case 'list':
        return { ...type, elementId: nextId(), element: again(type.element) };
      case 'map':
        return { ...type, keyId: nextId(), valueId: nextId(), key: again(type.key), value: again(type.value) };
      default:
        return type;
    }
  };
  return fields.map((field) => ({ ...field, type: again(field.type) }));
}

const INPUT_CODES: readonly ErrorCode[] = ['DATA_FILE_CORRUPT', 'INTERNAL', 'TYPE_MISMATCH', 'FILE_NOT_FOUND'];

/** Makes an error of reading an input file say so: its damage is the user's to repair, not a table's. */
export function inputError(path: string, error: unknown): unknown {
  if (!isMoraineError(error, ...INPUT_CODES) || !(error.cause instanceof Error)) return error;
  const text = error.cause.message;
  const line = /(?:CSV Error on Line: |in line )(\d+)/.exec(text)?.[1];
  const reason = knownReason(text);
  if (reason === undefined) return error;
  const where = line === undefined ? '' : ` in line ${line}`;
  return new MoraineError('INPUT_UNREADABLE', `${path} cannot be read${where}: ${reason}.`, {
    details: { path, ...(line === undefined ? {} : { line: Number(line) }) },
    cause: error,
  });
}

const REASONS: readonly [RegExp, string][] = [
  [/Invalid unicode|not utf-8/i, 'it is not UTF-8 text'],
  [/unterminated quote|quoted value/i, 'a quoted field does not end, or goes on after its quote'],
  [
    /Expected Number of Columns|Too many columns|Missing columns|columns? (?:was|were) expected/i,
    'the line has another number of fields than the header',
  ],
  [/Maximum line size/i, 'the line is too long'],
  [/has duplicate key (".*")/, 'an object has the key $1 twice'],
  [/Malformed JSON/i, 'it is not JSON'],
  [/expected records|Expected OBJECT/, 'every row has to be a JSON object'],
  [/JSON transform|Could not convert|Conversion Error/i, 'a value does not fit the type of its column'],
  [/CSV Error/i, 'it is not CSV as the header begins it'],
  [
    /Parquet|parquet|magic bytes|Footer|Snappy|[Tt]hrift|don't know what type|Failed to read/,
    'it is damaged, or not Parquet',
  ],
];

function knownReason(text: string): string | undefined {
  for (const [pattern, reason] of REASONS) {
    const match = pattern.exec(text);
    if (match !== null) return reason.replace('$1', () => match[1] ?? '');
  }
  return undefined;
}
