/**
 * Nanoseconds with a zone in Parquet files. DuckDB has no type for them: it reads them as microseconds and cuts the rest, and writes
 * none. Without a zone it reads and writes them exactly, so the zone is taken away from a copy, or given to a finished file.
 * See docs/adr/0008-zoned-nanoseconds.md.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { MoraineError } from '../../errors/index.js';
import { type NanosecondColumn, nanosecondColumns, withZone } from './parquet-footer.js';

/** Takes the zone from all nanosecond columns of a file, in place. @throws DATA_FILE_CORRUPT; it names no file */
export async function unzoneNanoseconds(path: string): Promise<void> {
  await setZones(path, ({ isAdjustedToUtc }) => (isAdjustedToUtc ? false : undefined));
}

/**
 * Gives the zone UTC to the nanosecond columns of these field ids, in place.
 * @throws INTERNAL when the file has not all of the columns
 */
export async function zoneNanoseconds(path: string, fieldIds: ReadonlySet<number>): Promise<void> {
  const zoned = await setZones(path, ({ fieldId }) =>
    fieldId !== undefined && fieldIds.has(fieldId) ? true : undefined,
  );
  if (zoned !== fieldIds.size) throw new MoraineError('INTERNAL', `${path} was written without all its nanoseconds.`);
}

const TRAILER_BYTES = 8;

/** Sets the zones of the columns for which `choose` says one; the number of those columns. */
async function setZones(path: string, choose: (column: NanosecondColumn) => boolean | undefined): Promise<number> {
  const file = await open(path, 'r+');
  try {
    const { start, footer } = await readFooter(file);
    let count = 0;
    for (const column of nanosecondColumns(footer)) {
      const isAdjustedToUtc = choose(column);
      if (isAdjustedToUtc === undefined) continue;
      const byte = withZone(footer, column, isAdjustedToUtc);
      await file.write(Buffer.of(byte), 0, 1, start + column.flagOffset);
      count += 1;
    }
    return count;
  } finally {
    await file.close();
  }
}

/** The footer of a Parquet file, and where it starts. @throws DATA_FILE_CORRUPT; it names no file */
export async function readFooter(file: FileHandle): Promise<{ readonly start: number; readonly footer: Uint8Array }> {
  const { size } = await file.stat();
  const trailer = await readBytes(file, size - TRAILER_BYTES, TRAILER_BYTES);
  const length = trailer.readUInt32LE(0);
  const start = size - TRAILER_BYTES - length;
  return { start, footer: await readBytes(file, start, length) };
}

/** @throws DATA_FILE_CORRUPT when the file has not that many bytes there; it names no file */
export async function readBytes(file: FileHandle, start: number, length: number): Promise<Buffer> {
  if (start >= 0) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
    if (bytesRead === length) return buffer;
  }
  throw new MoraineError('DATA_FILE_CORRUPT', 'A data file is damaged: it is shorter than its footer.');
}
