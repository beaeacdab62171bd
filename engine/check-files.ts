/** Looking at data files before their first row is given out. */
import { type FileHandle, open } from 'node:fs/promises';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { DataFile, FileFormat } from '../iceberg/index.js';
import { avroLayout } from './avro-copy.js';
import type { Connection } from './connection.js';
import { convertedLayout, type FileConversion, type FileLayout, readFileLayouts } from './file-layout.js';
import { columnCodecs, HADOOP_LZ4, LZO } from './parquet-footer.js';
import { readFooter } from './zoned-nanoseconds.js';

/** What the manifest says of a file; `path` is what the file system opens. */
export interface CheckedFile {
  readonly path: string;
  readonly fileSizeInBytes: bigint;
  /** Parquet unless given. */
  readonly format?: FileFormat;
}

const MAGIC = 'PAR1';
const ENCRYPTED_MAGIC = 'PARE';
const TRAILER_BYTES = 8;
const FILES_AT_ONCE = 16;

/**
 * The format of a data or delete file as {@link CheckedFile} wants it.
 * @throws UNSUPPORTED_FEATURE naming the file, when it is not read
 */
export function readableFormat({ filePath, fileFormat, keyMetadata }: DataFile): FileFormat {
  if (keyMetadata !== undefined) throw unsupported(filePath, 'is encrypted');
  if (fileFormat === 'PARQUET' || fileFormat === 'AVRO') return fileFormat;
  throw unsupported(filePath, `is an ${fileFormat} file; Parquet and Avro are read`);
}

/**
 * Checks that every file exists, has its recorded length and has a footer (Avro: a header) that can be read; gives their layouts for
 * `withReadableCopies` and `scanSql`.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, UNSUPPORTED_FEATURE or STORAGE_UNAVAILABLE naming the file
 */
export async function checkFiles(
  connection: Connection,
  files: readonly CheckedFile[],
): Promise<ReadonlyMap<string, FileLayout>> {
  const found = new Map<string, FileLayout | FileConversion>();
  for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
    connection.throwIfAborted();
    const some = files.slice(start, start + FILES_AT_ONCE).map(async (file) => {
      const conversion = await checkFile(file);
      if (conversion !== undefined) found.set(file.path, conversion);
    });
    await Promise.all(some);
  }
  const parquet = files.filter(({ path }) => typeof found.get(path) !== 'object');
  const layouts = new Map(await readFileLayouts(connection, [...new Set(parquet.map(({ path }) => path))]));
  for (const [path, one] of found) {
    const layout = layouts.get(path);
    if (typeof one === 'object') layouts.set(path, one);
    else if (layout !== undefined) layouts.set(path, convertedLayout(layout, one));
  }
  return layouts;
}

/** Nothing of a Parquet file that is read in place; else its layout, or what has to be done to read it. */
async function checkFile(file: CheckedFile): Promise<FileLayout | FileConversion | undefined> {
  const { path, fileSizeInBytes, format } = file;
  return await withFile(path, async (handle) => {
    const { size } = await handle.stat();
    if (BigInt(size) !== fileSizeInBytes) {
      throw corrupt(path, `has ${size} bytes, and the manifest says ${fileSizeInBytes}`);
    }
    return format === 'AVRO' ? await avroLayout(handle, path, size) : await checkFooter(handle, path, size);
  });
}

/**
 * What has to be done to read a Parquet file.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, UNSUPPORTED_FEATURE or STORAGE_UNAVAILABLE naming the file
 */
export async function parquetConversion(path: string): Promise<FileConversion | undefined> {
  return await withFile(path, async (handle) => checkFooter(handle, path, (await handle.stat()).size));
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw openFailed(path, cause);
  });
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

async function checkTrailer(handle: FileHandle, path: string, size: number): Promise<void> {
  if (size < TRAILER_BYTES + MAGIC.length) throw corrupt(path, 'is too short to be Parquet');
  const trailer = Buffer.alloc(TRAILER_BYTES);
  await handle.read(trailer, 0, TRAILER_BYTES, size - TRAILER_BYTES);
  const magic = trailer.toString('latin1', 4);
  if (magic === ENCRYPTED_MAGIC) throw unsupported(path, 'is encrypted');
  if (magic !== MAGIC) throw corrupt(path, 'does not end as a Parquet file does');
  if (trailer.readUInt32LE(0) > size - TRAILER_BYTES - MAGIC.length) {
    throw corrupt(path, 'has a footer that is longer than the file');
  }
}

async function checkFooter(handle: FileHandle, path: string, size: number): Promise<FileConversion | undefined> {
  await checkTrailer(handle, path, size);
  const { footer } = await readFooter(handle);
  let codecs: ReadonlySet<number>;
  try {
    codecs = columnCodecs(footer);
  } catch (cause) {
    if (!isMoraineError(cause)) throw cause;
    throw new MoraineError('DATA_FILE_CORRUPT', `${cause.message} (${path})`, { details: { path }, cause });
  }
  if (codecs.has(LZO)) throw unsupported(path, 'is compressed with LZO');
  return codecs.has(HADOOP_LZ4) ? 'hadoop-lz4' : undefined;
}

function corrupt(path: string, problem: string): MoraineError {
  return new MoraineError('DATA_FILE_CORRUPT', `A data file is damaged: ${path} ${problem}.`, { details: { path } });
}

function unsupported(path: string, what: string): MoraineError {
  const message = `${path} ${what}. Rewrite it with the engine that wrote it.`;
  return new MoraineError('UNSUPPORTED_FEATURE', message, { details: { path } });
}

function openFailed(path: string, cause: NodeJS.ErrnoException): MoraineError {
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') {
    return new MoraineError('FILE_NOT_FOUND', `The data file ${path} does not exist.`, { details: { path }, cause });
  }
  const details = { path, reason: cause.code ?? 'unknown' };
  return new MoraineError('STORAGE_UNAVAILABLE', `The data file ${path} cannot be opened.`, { details, cause });
}
