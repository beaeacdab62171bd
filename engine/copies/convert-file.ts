/** Conversion of files that DuckDB cannot read, or cannot read exactly. */
import { chmod, constants, copyFile } from 'node:fs/promises';
import type { Connection } from '../connection.js';
import { unzoneNanoseconds } from '../parquet/zoned-nanoseconds.js';
import type { FileConversion } from '../scan/file-layout.js';
import { copyAvro } from './avro-copy.js';
import type { Copier } from './file-copies.js';
import { decompressHadoopLz4 } from './lz4-copy.js';

/**
 * The path of a Parquet copy of the same rows in the same order, in which nanoseconds have no zone. The copy of a Parquet file that
 * needs no conversion has its size and layout. It lasts as long as the connection.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, UNSUPPORTED_FEATURE or STORAGE_UNAVAILABLE naming the file
 */
export function readableCopy(connection: Connection, path: string, conversion?: FileConversion): Promise<string> {
  return connection.copies.of(path, copierFor(connection, conversion));
}

function copierFor(connection: Connection, conversion: FileConversion | undefined): Copier {
  switch (conversion) {
    case 'avro':
      return (path, copy) => connection.copies.inTurn(() => copyAvro(connection, path, copy));
    case 'hadoop-lz4':
      return async (path, copy) => {
        await decompressHadoopLz4(path, copy, () => connection.throwIfAborted());
        await unzoneNanoseconds(copy);
      };
    case undefined:
      return unzonedCopy;
  }
}

async function unzonedCopy(path: string, copy: string): Promise<void> {
  // File systems that can share blocks copy nothing.
  await copyFile(path, copy, constants.COPYFILE_FICLONE);
  await chmod(copy, 0o600);
  await unzoneNanoseconds(copy);
}
