/** Deletion vectors in Puffin files. Source: Puffin specification. */
import { type FileHandle, open } from 'node:fs/promises';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import {
  type DataFile,
  DELETION_VECTOR_BLOB,
  decodeDeletionVector,
  type PositionContainer,
  PUFFIN_TRAILER_BYTES,
  type PuffinBlob,
  parsePuffinFooter,
  puffinFooterBytes,
} from '../../iceberg/index.js';

/** A vector as a manifest lists it, in the file at `path`. */
export interface VectorToRead {
  readonly path: string;
  readonly file: DataFile;
  /** The one spelling of a location. */
  readonly normalize: (location: string) => string;
}

/**
 * The vectors of one Puffin file, one after the other: looked up in its footer, checked, and decoded container by container.
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE, STORAGE_UNAVAILABLE naming the file
 */
export async function readVectors<T extends VectorToRead>(
  path: string,
  vectors: readonly T[],
  use: (vector: T, containers: Iterable<PositionContainer>) => Promise<void>,
): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      const blobs = await readFooter(handle, vectors);
      for (const vector of vectors) {
        const bytes = await readBlob(handle, vector, blobs);
        await use(vector, decodeDeletionVector(bytes, vector.file.recordCount));
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw vectorFileError(path, error);
  }
}

async function readFooter(handle: FileHandle, [first]: readonly VectorToRead[]): Promise<readonly PuffinBlob[]> {
  const { size } = await handle.stat();
  const expected = first?.file.fileSizeInBytes;
  if (expected !== undefined && BigInt(size) !== expected)
    throw corrupt(`it has ${size} bytes, the manifest says ${expected}`);
  const footerBytes = puffinFooterBytes(await readAt(handle, size - PUFFIN_TRAILER_BYTES, PUFFIN_TRAILER_BYTES));
  return parsePuffinFooter(await readAt(handle, size - footerBytes, footerBytes)).blobs;
}

/** The manifest and the footer must agree on what lies where. */
async function readBlob(handle: FileHandle, { file, normalize }: VectorToRead, blobs: readonly PuffinBlob[]) {
  const { contentOffset = -1n, contentSizeInBytes = -1n, referencedDataFile = '' } = file;
  const blob = blobs.find(({ offset, length }) => offset === contentOffset && length === contentSizeInBytes);
  if (blob === undefined) throw corrupt(`its footer has no blob of ${contentSizeInBytes} bytes at ${contentOffset}`);
  if (blob.type !== DELETION_VECTOR_BLOB || blob.compressionCodec !== undefined)
    throw corrupt(`the blob at ${contentOffset} is not a plain deletion vector`);
  const referenced = blob.properties.get('referenced-data-file');
  if (referenced === undefined || normalize(referenced) !== normalize(referencedDataFile))
    throw corrupt(`the vector at ${contentOffset} is of ${referenced ?? 'no file'}, not of ${referencedDataFile}`);
  return await readAt(handle, Number(contentOffset), Number(contentSizeInBytes));
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  if (offset < 0) throw corrupt('it is too short');
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  if (bytesRead !== length) throw corrupt('it is too short');
  return bytes;
}

const corrupt = (reason: string): MoraineError => new MoraineError('DELETE_FILE_CORRUPT', `${reason}.`);

function vectorFileError(path: string, error: unknown): unknown {
  const details = { path };
  if (isMoraineError(error)) {
    if (error.code !== 'DELETE_FILE_CORRUPT' && error.code !== 'UNSUPPORTED_FEATURE') return error;
    return new MoraineError(error.code, `The deletion vectors in ${path} cannot be read: ${error.message}`, {
      details,
      cause: error,
    });
  }
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new MoraineError('FILE_NOT_FOUND', `The file of deletion vectors ${path} does not exist.`, {
      details,
      cause: error,
    });
  const reason = { path, reason: code ?? 'unknown' };
  return new MoraineError('STORAGE_UNAVAILABLE', `The file of deletion vectors ${path} cannot be read.`, {
    details: reason,
    cause: error,
  });
}
