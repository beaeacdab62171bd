/**
 * Nanoseconds with a zone in Parquet files. DuckDB has no type for them: it reads them as microseconds and cuts the rest, and writes
 * none. Without a zone it reads and writes them exactly, so the zone is taken away from a copy, or given to a finished file.
 * See docs/adr/0008-zoned-nanoseconds.md.
 */
import { chmod, constants, copyFile, type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type NanosecondColumn, nanosecondColumns, withZone } from './parquet-footer.js';

/** Copies of data files that are read in their place. They belong to one connection, and go with it. */
export class UnzonedCopies {
  readonly #parent: string;
  #folder: Promise<string> | undefined;
  readonly #copies = new Map<string, Promise<string>>();
  readonly #originals = new Map<string, string>();

  /** @param parent an existing folder that statements may read */
  constructor(parent: string) {
    this.#parent = parent;
  }

  /**
   * The path of a copy of the same size and layout in which nanoseconds have no zone.
   * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT or STORAGE_UNAVAILABLE naming the file
   */
  async of(path: string): Promise<string> {
    const copy = this.#copies.get(path) ?? this.#make(path);
    this.#copies.set(path, copy);
    return await copy;
  }

  /** The file that a path stands for: what errors should name. */
  originalOf(path: string): string {
    return this.#originals.get(path) ?? path;
  }

  /** Deletes the copies. What cannot be deleted goes with the engine's folder. */
  async remove(): Promise<void> {
    if (this.#folder === undefined) return;
    await Promise.allSettled(this.#copies.values());
    await this.#folder.then((folder) => rm(folder, { recursive: true, force: true })).catch(() => undefined);
  }

  async #make(path: string): Promise<string> {
    this.#folder ??= mkdtemp(join(this.#parent, 'unzoned-'));
    const copy = join(await this.#folder, `${this.#originals.size}.parquet`);
    this.#originals.set(copy, path);
    try {
      // File systems that can share blocks copy nothing.
      await copyFile(path, copy, constants.COPYFILE_FICLONE);
      await chmod(copy, 0o600);
      await setZones(copy, ({ isAdjustedToUtc }) => (isAdjustedToUtc ? false : undefined));
    } catch (error) {
      throw copyFailed(path, error);
    }
    return copy;
  }
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

async function readFooter(file: FileHandle): Promise<{ readonly start: number; readonly footer: Uint8Array }> {
  const { size } = await file.stat();
  const trailer = await readBytes(file, size - TRAILER_BYTES, TRAILER_BYTES);
  const length = trailer.readUInt32LE(0);
  const start = size - TRAILER_BYTES - length;
  return { start, footer: await readBytes(file, start, length) };
}

async function readBytes(file: FileHandle, start: number, length: number): Promise<Buffer> {
  if (start >= 0) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
    if (bytesRead === length) return buffer;
  }
  throw new MoraineError('DATA_FILE_CORRUPT', 'A data file is damaged: it is shorter than its footer.');
}

function copyFailed(path: string, cause: unknown): MoraineError {
  const details = { path };
  if (isMoraineError(cause)) return new MoraineError(cause.code, `${cause.message} (${path})`, { details, cause });
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new MoraineError('FILE_NOT_FOUND', `The data file ${path} does not exist.`, { details, cause });
  }
  const remedy =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'Free space in the temporary folder (engine.tempDirectory), or leave out its columns of type timestamptz_ns.'
      : 'Reading its zoned nanoseconds needs a copy in the temporary folder (engine.tempDirectory).';
  return new MoraineError(
    'STORAGE_UNAVAILABLE',
    `The data file ${path} cannot be copied: ${code ?? 'unknown'}. ${remedy}`,
    {
      details: { path, reason: code ?? 'unknown' },
      cause,
    },
  );
}
