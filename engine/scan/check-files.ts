/** Looking at data files before their first row is given out. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { DataFile, FileFormat } from '../../iceberg/index.js';
import type { LocalPath } from '../../locations/index.js';
import type { Connection } from '../connection.js';
import { avroLayout } from '../copies/avro-copy.js';
import { corrupt, type OpenTail, openFailed, TailReader } from '../parquet/file-tail.js';
import { footerOutline, HADOOP_LZ4, LZO } from '../parquet/parquet-footer.js';
import {
  convertedLayout,
  type FileConversion,
  type FileLayout,
  readFileLayouts,
  signedLayout,
  withEngineNames,
} from './file-layout.js';

/** A file as its manifest describes it. */
export interface CheckedFile {
  readonly path: LocalPath;
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
): Promise<ReadonlyMap<LocalPath, FileLayout>> {
  const layouts = new Map<LocalPath, FileLayout>();
  const footers = new Map<LocalPath, ParquetFile>();
  const waiting = files.values();
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    const reader = new TailReader();
    for (const file of waiting) {
      if (hasFailed) return;
      connection.throwIfAborted();
      const found = await checkFile(file, reader);
      if ('columns' in found) layouts.set(file.path, found);
      else footers.set(file.path, found);
    }
  };
  const lanes = Array.from({ length: Math.min(FILES_AT_ONCE, files.length) }, lane);
  await Promise.all(lanes).catch((error: unknown) => {
    hasFailed = true;
    throw error;
  });
  for (const [path, layout] of await parquetLayouts(connection, footers)) layouts.set(path, layout);
  return layouts;
}

/** Result of checking a Parquet file. */
interface ParquetFile {
  /** Equal in files that are laid out alike. */
  readonly layoutKey: string;
  readonly hasSignedBounds: boolean;
  /** Conversion that reading the file needs; absent: it is read in place. */
  readonly conversion: FileConversion | undefined;
}

/** The engine is asked for the layout of one file of each kind: footers by the thousand cost more than all the rest. */
async function parquetLayouts(
  connection: Connection,
  files: ReadonlyMap<LocalPath, ParquetFile>,
): Promise<ReadonlyMap<LocalPath, FileLayout>> {
  const examples = new Map<string, string>();
  for (const [path, { layoutKey }] of files) if (!examples.has(layoutKey)) examples.set(layoutKey, path);
  const known = new Map<string, FileLayout>();
  for (const [path, layout] of await readFileLayouts(connection, [...examples.values()]))
    known.set(path, await withEngineNames(connection, path, layout));
  const layouts = new Map<LocalPath, FileLayout>();
  for (const [path, { layoutKey, hasSignedBounds, conversion }] of files) {
    const found = known.get(examples.get(layoutKey) ?? '');
    if (found === undefined) continue;
    const layout = hasSignedBounds ? signedLayout(found) : found;
    layouts.set(path, conversion === undefined ? layout : convertedLayout(layout, conversion));
  }
  return layouts;
}

/** Checks a file, and gives its layout if that is known without the engine. */
async function checkFile(
  { path, fileSizeInBytes, format }: CheckedFile,
  reader: TailReader,
): Promise<ParquetFile | FileLayout> {
  const size = Number(fileSizeInBytes);
  if (format === 'AVRO') return checkAvro(path, size);
  return reader.withTail(path, size, (file) => checkFooter(path, file));
}

async function checkAvro(path: string, expected: number): Promise<FileLayout> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw openFailed(path, cause);
  });
  try {
    const { size } = await handle.stat();
    if (size !== expected) throw corrupt(path, `has ${size} bytes, and the manifest says ${expected}`);
    return await avroLayout(handle, path, size);
  } finally {
    await handle.close();
  }
}

/**
 * Conversion that reading a Parquet file needs.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, UNSUPPORTED_FEATURE or STORAGE_UNAVAILABLE naming the file
 */
export async function parquetConversion(path: string): Promise<FileConversion | undefined> {
  const { conversion } = await new TailReader().withTail(path, undefined, (file) => checkFooter(path, file));
  return conversion;
}

async function checkFooter(path: string, file: OpenTail): Promise<ParquetFile> {
  const footer = await footerOf(path, file);
  try {
    const { codecs, hasSignedBounds, layoutBytes } = footerOutline(footer);
    if (codecs.has(LZO)) throw unsupported(path, 'is compressed with LZO');
    const layoutKey = layoutBytes.reduce((hash, bytes) => hash.update(bytes), createHash('sha256')).digest('base64');
    return { layoutKey, hasSignedBounds, conversion: codecs.has(HADOOP_LZ4) ? 'hadoop-lz4' : undefined };
  } catch (cause) {
    if (!isMoraineError(cause, 'DATA_FILE_CORRUPT')) throw cause;
    throw new MoraineError('DATA_FILE_CORRUPT', `${cause.message} (${path})`, { details: { path }, cause });
  }
}

/** The footer's bytes. Most are in the first read. */
async function footerOf(path: string, { size, tail, bytes }: OpenTail): Promise<Uint8Array> {
  if (size < TRAILER_BYTES + MAGIC.length) throw corrupt(path, 'is too short to be Parquet');
  const trailer = tail.subarray(-TRAILER_BYTES);
  const magic = trailer.toString('latin1', 4);
  if (magic === ENCRYPTED_MAGIC) throw unsupported(path, 'is encrypted');
  if (magic !== MAGIC) throw corrupt(path, 'does not end as a Parquet file does');
  const length = trailer.readUInt32LE(0);
  if (length > size - TRAILER_BYTES - MAGIC.length) throw corrupt(path, 'has a footer that is longer than the file');
  const start = tail.length - TRAILER_BYTES - length;
  if (start >= 0) return tail.subarray(start, start + length);
  return bytes(size - TRAILER_BYTES - length, length);
}

function unsupported(path: string, what: string): MoraineError {
  const message = `${path} ${what}. Rewrite it with the engine that wrote it.`;
  return new MoraineError('UNSUPPORTED_FEATURE', message, { details: { path } });
}
