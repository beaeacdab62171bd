/** Delete files name data files by their locations: they are written anew for the files' new places. */
import { randomUUID } from 'node:crypto';
import { digestDeletes, type Engine, type RelocatedRows, withRelocatedDeletes } from '../../engine/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import {
  type DataFile,
  DELETE_FILE_PATH_ID,
  DELETE_POSITION_ID,
  POSITION_DELETE_SCHEMA,
  PUFFIN_TRAILER_BYTES,
  puffinFooterBytes,
  type RelocatedDeletes,
  relocateAvroDeletes,
  relocatePuffinFooter,
  UNPARTITIONED,
} from '../../iceberg/index.js';
import { type Location, printableLocation, type Relocation } from '../../locations/index.js';
import { openablePath } from '../../scans/index.js';
import { stageFiles } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import { otherFile, type TargetFolder } from './target-folder.js';

/** What copying delete files needs. */
export interface CopyDeletesDeps {
  readonly io: FileIO;
  readonly engine: () => Promise<Engine>;
  readonly relocation: Relocation;
  readonly target: TargetFolder;
  readonly signal?: AbortSignal | undefined;
}

/** An Avro file of position deletes is read as a whole. */
const MAX_AVRO_BYTES = 512 * 2 ** 20;

/**
 * Copies a file of position deletes or deletion vectors, which then names the data files where they are copied to.
 * @throws MoraineError `UNSUPPORTED_FEATURE` for a format that is not written; `FILE_NOT_FOUND`, `DELETE_FILE_CORRUPT`;
 *   `FILE_ALREADY_EXISTS` for another file in its new place
 */
export async function copyPositionDeletes(deps: CopyDeletesDeps, file: DataFile): Promise<RelocatedDeletes> {
  switch (file.fileFormat) {
    case 'PUFFIN':
      return await copyVectors(deps, file);
    case 'PARQUET':
      return await copyParquet(deps, file);
    case 'AVRO':
      return await copyAvro(deps, file);
    case 'ORC': {
      const message = `The position deletes ${printableLocation(file.filePath)} are an ORC file, which is not written. Compact the table with the engine that wrote it, then move it.`;
      throw new MoraineError('UNSUPPORTED_FEATURE', message, { details: { location: file.filePath } });
    }
  }
}

/** Vectors keep their places in the file: only the footer names the data files. */
async function copyVectors({ io, relocation, target }: CopyDeletesDeps, file: DataFile): Promise<RelocatedDeletes> {
  const from = file.filePath;
  const { bytes: trailer } = await io.readTail(from, PUFFIN_TRAILER_BYTES);
  const { bytes: footer, sizeBytes } = await io.readTail(
    from,
    naming(from, () => puffinFooterBytes(trailer)),
  );
  const end = naming(from, () => relocatePuffinFooter(footer, (location) => relocation.of(location)));
  await target.copyWithEnd({ from, cutBytes: footer.length, end }, relocation.of(from));
  return { fileSizeInBytes: BigInt(sizeBytes - footer.length + end.length) };
}

async function copyAvro({ io, relocation, target }: CopyDeletesDeps, file: DataFile): Promise<RelocatedDeletes> {
  const from = file.filePath;
  const bytes = await io.read(from, { maxBytes: MAX_AVRO_BYTES });
  const moved = relocateAvroDeletes(bytes, from, (location) => relocation.of(location));
  await target.put(relocation.of(from), moved);
  return { fileSizeInBytes: BigInt(moved.length) };
}

async function copyParquet(deps: CopyDeletesDeps, file: DataFile): Promise<RelocatedDeletes> {
  const { io, relocation, target, signal } = deps;
  const to = relocation.of(file.filePath);
  const engine = await deps.engine();
  return await engine.withConnection(
    async (connection) => {
      const open = async (of: DataFile) => {
        return { path: await openablePath(connection, io, of.filePath), entry: { file: of, sequenceNumber: 0n } };
      };
      const relocate = (location: Location): Location => relocation.of(location);
      return await withRelocatedDeletes(connection, await open(file), relocate, async (rows) => {
        if (!(await target.has(to))) {
          const written = await writeRows(deps, connection, rows, to);
          if (written !== null) return { fileSizeInBytes: written, ...pathsOf(rows) };
        }
        const { sizeBytes } = await io.stat(to);
        const there: DataFile = { ...file, filePath: to, fileSizeInBytes: BigInt(sizeBytes) };
        const wanted = await digestDeletes(connection, rows.select);
        const found = await withRelocatedDeletes(connection, await open(there), same, ({ select }) => {
          return digestDeletes(connection, select);
        });
        if (found !== wanted) throw otherFile(to);
        target.reusedFiles += 1;
        return { fileSizeInBytes: BigInt(sizeBytes), ...pathsOf(rows) };
      });
    },
    signal === undefined ? {} : { signal },
  );
}

const same = (location: Location): Location => location;

const pathsOf = ({ paths }: RelocatedRows): Pick<RelocatedDeletes, 'paths'> => (paths === null ? {} : { paths });

/** @returns the size of the file; null: somebody else has written it */
async function writeRows(
  { io, target }: CopyDeletesDeps,
  connection: Parameters<typeof stageFiles>[0],
  { select }: RelocatedRows,
  to: Location,
): Promise<bigint | null> {
  const write = {
    select,
    schema: POSITION_DELETE_SCHEMA,
    spec: UNPARTITIONED,
    namePrefix: `move-${randomUUID()}`,
    sortBy: [DELETE_FILE_PATH_ID, DELETE_POSITION_ID],
    keepEmpty: true,
  };
  const place = { folder: to.slice(0, to.lastIndexOf('/')), locationOf: () => to };
  try {
    const [written] = await stageFiles(connection, io, write, place);
    const { fileSizeInBytes = 0n } = written ?? {};
    target.writtenBytes += fileSizeInBytes;
    return fileSizeInBytes;
  } catch (error) {
    if (isMoraineError(error, 'FILE_ALREADY_EXISTS')) return null;
    throw error;
  }
}

function naming<T>(location: Location, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isMoraineError(error)) throw error;
    const message = `Delete file ${printableLocation(location)}: ${error.message}`;
    throw new MoraineError(error.code, message, { details: { ...error.details, location }, cause: error });
  }
}
