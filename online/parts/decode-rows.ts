/** Rows of data files as decoded columns: through the scan that every other read uses, so that deletes, evolution and old specs are right. */
import type { RecordBatch } from 'apache-arrow';
import {
  arrowBatches,
  type Connection,
  columnAlias,
  nameDamagedFile,
  plainValue,
  readableScanSql,
} from '../../engine/index.js';
import type { IcebergType, NestedField, PrimitiveType, PrimitiveValue, Schema } from '../../iceberg/index.js';
import type { FileToOpen, OpenFiles } from '../../scans/index.js';
import type { OnlineColumns } from '../stored-columns.js';
import { columnOfArrow } from './arrow-columns.js';
import type { Column } from './column.js';
import { KeyRanges } from './key-ranges.js';
import type { Rows } from './segment.js';

/** Files of one snapshot of an online table. */
export interface DecodableFiles {
  /** The feature view. */
  readonly view: string;
  readonly schema: Schema;
  readonly columns: OnlineColumns;
  open(
    connection: Connection,
    files: readonly FileToOpen[],
  ): Promise<{ readonly open: OpenFiles; readonly isLasting: boolean }>;
}

/** Rows of a record batch, and the file that each is from. */
export interface DecodedBatch {
  readonly rows: Rows;
  /** Places in the list of files. */
  readonly files: BigInt64Array;
}

/**
 * The live rows of files, at most 2,048 at a time.
 * @param condition on the columns by their aliases; rows for which it does not hold may be left out
 */
export async function* decodeRows(
  connection: Connection,
  table: DecodableFiles,
  files: readonly FileToOpen[],
  condition?: string,
): AsyncGenerator<DecodedBatch, void, undefined> {
  const { lookup, eventTimestamp, createdTimestamp, features } = table.columns;
  const fields = [lookup, eventTimestamp, createdTimestamp, ...features];
  const { open } = await table.open(connection, files);
  const scan = await readableScanSql(connection, {
    ...open,
    schema: table.schema,
    columns: fields.map(({ id }) => id),
    naming: 'id',
    extras: { sequenceNumber: 'seq', fileNumber: 'file' },
  });
  const where = condition === undefined ? '' : ` WHERE ${condition}`;
  // Each small file would come as a chunk of its own, and each chunk is waited for; sorted rows come in full chunks.
  const order = ` ORDER BY ${columnAlias(lookup.id)}`;
  const columns = [...fields.map(({ id }) => columnAlias(id)), 'seq', 'file'].join(', ');
  const schema = { schemaId: 0, identifierFieldIds: [], fields: [...fields.map(aliased), long('seq'), long('file')] };
  try {
    for await (const batch of arrowBatches(connection, `(SELECT ${columns} FROM ${scan}${where}${order})`, schema)) {
      yield decoded(batch, fields);
    }
  } catch (error) {
    throw await nameDamagedFile(
      connection,
      open.files.map(({ path }) => path),
      error,
    );
  }
}

const aliased = (field: NestedField): NestedField => ({ ...field, name: columnAlias(field.id) });
const long = (name: string): NestedField => ({ id: 0, name, required: true, type: { kind: 'long' } });

function decoded({ data, numRows }: RecordBatch, fields: readonly NestedField[]): DecodedBatch {
  const column = (place: number, type: IcebergType): Column => {
    const child = data.children[place];
    if (child === undefined) throw new RangeError(`The batch has no column ${place}.`);
    return columnOfArrow(type, child);
  };
  const [key, eventTimestamp, created, ...features] = fields.map(({ type }, place) => column(place, type));
  const sequenceNumber = column(fields.length, { kind: 'long' });
  const { values } = column(fields.length + 1, { kind: 'long' }) as { readonly values: BigInt64Array };
  return {
    rows: {
      count: numRows,
      key: key as Column,
      eventTimestamp: eventTimestamp as Column,
      created: created as Column,
      sequenceNumber,
      features,
    },
    files: values,
  };
}

/**
 * Ranges of the keys of files with about so many rows each. Reads the column of the keys.
 */
export async function chooseRanges(
  connection: Connection,
  table: DecodableFiles,
  files: readonly FileToOpen[],
  rowsPerRange: number,
): Promise<KeyRanges> {
  const { lookup } = table.columns;
  const { open } = await table.open(connection, files);
  const scan = await readableScanSql(connection, { ...open, schema: table.schema, columns: [lookup.id], naming: 'id' });
  const key = columnAlias(lookup.id);
  const numbered = `SELECT ${key}, row_number() OVER (ORDER BY ${key}) AS n FROM ${scan} WHERE ${key} IS NOT NULL`;
  const bounds = `SELECT DISTINCT ${key} FROM (${numbered}) WHERE n % ${rowsPerRange} = 0 ORDER BY ${key}`;
  const rows = await connection.rows(bounds);
  return new KeyRanges(
    lookup.type as PrimitiveType,
    rows.map(([value]) => plainValue(lookup.type, value ?? null) as PrimitiveValue),
  );
}
