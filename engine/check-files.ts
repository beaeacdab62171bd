/** Looking at data files before their first row is given out. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { DataFile, FileFormat } from '../iceberg/index.js';
import { avroLayout } from './avro-copy.js';
import type { Connection } from './connection.js';
import { convertedLayout, type FileConversion, type FileLayout, readFileLayouts } from './file-layout.js';
import { footerOutline, HADOOP_LZ4, LZO } from './parquet-footer.js';
import { readBytes } from './zoned-nanoseconds.js';

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
/** Of a file's end, read at once. */
const TAIL_BYTES = 32 * 1024;
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
  const layouts = new Map<string, FileLayout>();
  const footers = new Map<string, ParquetFile>();
  for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
    connection.throwIfAborted();
    const some = files.slice(start, start + FILES_AT_ONCE).map(async (file) => {
      const found = await checkFile(file);
      if ('columns' in found) layouts.set(file.path, found);
      else footers.set(file.path, found);
    });
    await Promise.all(some);
  }
  for (const [path, layout] of await parquetLayouts(connection, footers)) layouts.set(path, layout);
  return layouts;
}

/** What checking a Parquet file finds out. */
interface ParquetFile {
  /** Equal in files that are laid out alike. */
  readonly layoutKey: string;
  /** What has to be done to read the file; by default it is read in place. */
  readonly conversion: FileConversion | undefined;
}

/** The engine is asked for the layout of one file of each kind: footers by the thousand cost more than all the rest. */
async function parquetLayouts(
  connection: Connection,
  files: ReadonlyMap<string, ParquetFile>,
): Promise<ReadonlyMap<string, FileLayout>> {
  const examples = new Map<string, string>();
  for (const [path, { layoutKey }] of files) if (!examples.has(layoutKey)) examples.set(layoutKey, path);
  const known = await readFileLayouts(connection, [...examples.values()]);
  const layouts = new Map<string, FileLayout>();
  for (const [path, { layoutKey, conversion }] of files) {
    const layout = known.get(examples.get(layoutKey) ?? '');
    if (layout === undefined) continue;
    layouts.set(path, conversion === undefined ? layout : convertedLayout(layout, conversion));
  }
  return layouts;
}

/** Of a Parquet file what is known without the engine; of any other its layout. */
async function checkFile(file: CheckedFile): Promise<ParquetFile | FileLayout> {
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
  const { conversion } = await withFile(path, async (handle) => checkFooter(handle, path, (await handle.stat()).size));
  return conversion;
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

async function checkFooter(handle: FileHandle, path: string, size: number): Promise<ParquetFile> {
  const footer = await footerOf(handle, path, size);
  try {
    const { codecs, layoutBytes } = footerOutline(footer);
    if (codecs.has(LZO)) throw unsupported(path, 'is compressed with LZO');
    const layoutKey = layoutBytes.reduce((hash, bytes) => hash.update(bytes), createHash('sha256')).digest('base64');
    return { layoutKey, conversion: codecs.has(HADOOP_LZ4) ? 'hadoop-lz4' : undefined };
  } catch (cause) {
    if (!isMoraineError(cause, 'DATA_FILE_CORRUPT')) throw cause;
    throw new MoraineError('DATA_FILE_CORRUPT', `${cause.message} (${path})`, { details: { path }, cause });
  }
}

/** The footer's bytes. Most are in the first read. */
async function footerOf(handle: FileHandle, path: string, size: number): Promise<Uint8Array> {
  if (size < TRAILER_BYTES + MAGIC.length) throw corrupt(path, 'is too short to be Parquet');
  const tail = await readBytes(handle, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES));
  const trailer = tail.subarray(-TRAILER_BYTES);
  const magic = trailer.toString('latin1', 4);
  if (magic === ENCRYPTED_MAGIC) throw unsupported(path, 'is encrypted');
  if (magic !== MAGIC) throw corrupt(path, 'does not end as a Parquet file does');
  const length = trailer.readUInt32LE(0);
  if (length > size - TRAILER_BYTES - MAGIC.length) throw corrupt(path, 'has a footer that is longer than the file');
  const start = tail.length - TRAILER_BYTES - length;
  if (start >= 0) return tail.subarray(start, start + length);
  return readBytes(handle, size - TRAILER_BYTES - length, length);
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
