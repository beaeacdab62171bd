/** Reading an Avro file as a Parquet copy: the same rows in the same order, field ids kept. */
import { type FileHandle, open } from 'node:fs/promises';
import { MoraineError } from '../../errors/index.js';
import { AvroRowReader, type ByteSource, positionKey } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { duckdb } from '../duckdb.js';
import { classifyDuckDbError } from '../duckdb-error.js';
import { NO_DICTIONARIES } from '../parquet/negative-zero.js';
import type { FileLayout } from '../scan/file-layout.js';
import { quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';
import { type AvroColumn, avroColumns } from './avro-columns.js';

/** A copy is read once or a few times: it is not worth the look for negative zeros that dictionaries need. */
const COPY_FORMAT = `FORMAT parquet, COMPRESSION snappy, ${NO_DICTIONARIES}`;
/** Rows between two writes to the copy's table, and two looks at the caller's signal. */
const ROWS_PER_FLUSH = 16_384;

/**
 * The layout of the copy that {@link copyAvro} makes, from the file's header.
 * @throws DATA_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file
 */
export async function avroLayout(handle: FileHandle, path: string, size: number): Promise<FileLayout> {
  const { schema } = await openReader(handle, path, size);
  const columns = namingFile(path, () => avroColumns(schema.fields)).map(({ column }) => column);
  const hasFieldIds = schema.fields.some(({ fieldId }) => fieldId !== undefined);
  return { columns, hasFieldIds, fingerprint: `avro ${JSON.stringify(columns)}`, conversion: 'avro' };
}

/**
 * Writes the rows of an Avro file to a new Parquet file, a block at a time. They pass a temporary table, which may spill.
 * @throws DATA_FILE_CORRUPT, LIMIT_EXCEEDED, UNSUPPORTED_FEATURE naming the file; CANCELLED; what the file system throws
 */
export async function copyAvro(connection: Connection, path: string, copy: string): Promise<void> {
  const table = quoteIdentifier(copy);
  const handle = await open(path, 'r');
  try {
    const reader = await openReader(handle, path, (await handle.stat()).size);
    const columns = namingFile(path, () => avroColumns(reader.schema.fields));
    const declared = columns.map(({ column, type }) => `${column.name} ${String(type)}`);
    await connection.run(`CREATE TEMP TABLE ${table} (${declared.join(', ')})`);
    await appendRows(connection, copy, path, reader, columns);
    const ids = columns.flatMap(({ column: { name, fieldId } }) =>
      fieldId === undefined ? [] : `${name}: ${fieldId}`,
    );
    const fieldIds = ids.length === 0 ? '' : `, FIELD_IDS {${ids.join(', ')}}`;
    await connection.run(`COPY ${table} TO ${quoteLiteral(copy)} (${COPY_FORMAT}${fieldIds})`);
  } finally {
    await handle.close();
    await connection.duckdb.run(`DROP TABLE IF EXISTS ${table}`).catch(() => undefined);
  }
}

async function appendRows(
  connection: Connection,
  table: string,
  path: string,
  reader: AvroRowReader,
  columns: readonly AvroColumn[],
): Promise<void> {
  const appender = await connection.duckdb.createAppender(table).catch((error: unknown) => {
    throw classifyDuckDbError(error);
  });
  try {
    let unflushed = 0;
    for await (const rows of reader.rows()) {
      connection.throwIfAborted();
      const chunk = duckdb.api.DuckDBDataChunk.create(
        columns.map(({ type }) => type),
        rows.length,
      );
      for (const [index, { toValue }] of columns.entries()) {
        const key = positionKey(index);
        const values = namingFile(path, () => rows.map((row) => toValue(row[key])));
        chunk.setColumnValues(index, values);
      }
      unflushed += rows.length;
      appendChunk(() => appender.appendDataChunk(chunk));
      if (unflushed < ROWS_PER_FLUSH) continue;
      unflushed = 0;
      appendChunk(() => appender.flushSync());
      // Appending is synchronous: other work gets its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    appendChunk(() => appender.flushSync());
  } finally {
    appender.closeSync();
  }
}

function appendChunk(append: () => void): void {
  try {
    append();
  } catch (error) {
    throw classifyDuckDbError(error);
  }
}

async function openReader(handle: FileHandle, path: string, size: number): Promise<AvroRowReader> {
  const source: ByteSource = {
    size,
    read: async (position, length) => {
      const { buffer, bytesRead } = await handle
        .read(Buffer.allocUnsafe(length), 0, length, position)
        .catch((cause: unknown) => {
          throw new MoraineError('STORAGE_UNAVAILABLE', 'It cannot be read.', { details: { path }, cause });
        });
      return buffer.subarray(0, bytesRead);
    },
  };
  return await AvroRowReader.open(source, { location: path, damaged: 'DATA_FILE_CORRUPT' });
}

/** Impossible values and schemas are damage of the file. */
function namingFile<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof MoraineError ? error.code : 'DATA_FILE_CORRUPT';
    const message = error instanceof Error ? error.message : String(error);
    throw new MoraineError(code, `Cannot read ${path}: ${message}`, { details: { path }, cause: error });
  }
}
