/** Rows become data files: the one place where new files of a table get their names, their format and their place in storage. */
import { open, rm, stat } from 'node:fs/promises';
import { type Connection, type ParquetWrite, type WrittenPath, writeParquet } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { currentSchema, type DataFile, type PartitionSpec, type Schema, type TableMetadata } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';
import { dataFileLocation, dataFolder } from './data-locations.js';
import { parquetSettings, sortColumns } from './parquet-settings.js';

/**
 * Rows to stage; all but the statement and the names of the files comes from the table unless it is given. With `sortBy` (empty: the order
 * that the rows come in) the rows of a partition become one file.
 */
export type RowsToStage = Pick<ParquetWrite, 'select' | 'namePrefix'> &
  Partial<Pick<ParquetWrite, 'schema' | 'spec' | 'sortBy' | 'sortOrderId' | 'collected' | 'targetFileBytes'>>;

/**
 * Writes rows as data files of a table, which no snapshot lists yet: by its current schema, default partition spec, default sort order
 * and write properties. No rows, no files. On failure nothing of this attempt remains.
 * @returns an entry for each file with its location and statistics; all files are durable
 * @throws MoraineError as {@link writeParquet}; `INVALID_ARGUMENT` for a write property that has no meaning; `LOCATION_REFUSED` for a data
 *   folder outside the storage roots
 */
export async function stageRows(
  connection: Connection,
  { io, metadata }: Pick<Table, 'io' | 'metadata'>,
  rows: RowsToStage,
): Promise<readonly DataFile[]> {
  const schema = rows.schema ?? currentSchema(metadata);
  const spec = rows.spec ?? defaultSpec(metadata);
  const { targetFileBytes, ...settings } = parquetSettings(metadata, schema);
  const order = rows.sortBy === undefined ? defaultOrder(metadata, schema, spec) : {};
  // Rows in an order of the caller's stay together.
  const split = rows.sortBy === undefined && targetFileBytes !== undefined ? { targetFileBytes } : {};
  const write = { ...settings, ...order, ...split, ...rows, schema, spec };
  return await stageFiles(connection, io, write, {
    folder: dataFolder(metadata),
    locationOf: (name) => dataFileLocation(metadata, name),
  });
}

function defaultOrder(
  metadata: TableMetadata,
  schema: Schema,
  spec: PartitionSpec,
): Pick<ParquetWrite, 'sortBy' | 'sortOrderId'> {
  const sortBy = sortColumns(metadata, schema, spec);
  return sortBy === undefined ? {} : { sortBy, sortOrderId: metadata.defaultSortOrderId };
}

/** Names of new files. */
export interface NewFiles {
  /** The folder that all of them lie below. */
  readonly folder: Location;
  readonly locationOf: (name: string) => Location;
}

/** Writes rows as Parquet files of no table. The errors are those of {@link stageRows}. */
export async function stageFiles(
  connection: Connection,
  io: FileIO,
  write: Omit<ParquetWrite, 'folder' | 'publish'>,
  { folder, locationOf }: NewFiles,
): Promise<readonly DataFile[]> {
  const localFiles = io.localFiles(folder);
  const publish = async (files: readonly WrittenPath[]): Promise<readonly Location[]> => {
    const placed = files.map(({ path, name }) => ({ path, location: locationOf(name) }));
    if (localFiles === null) await upload(io, placed);
    else await localFiles.adopt(placed);
    return placed.map(({ location }) => location);
  };
  const local = (await localFiles?.prepareFolder(folder)) ?? connection.tempDirectory;
  return await writeParquet(connection, { ...write, folder: local, publish });
}

/** A file that cannot be opened or read fails the upload: a stream of Node's would end the process before it is listened to. */
async function* piecesOf(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    yield* file.createReadStream({ autoClose: false });
  } finally {
    await file.close();
  }
}

/** Files that are on their way to a store at a time: a partitioned write makes many small ones, whose answers take longer than their bytes. */
const UPLOADS_AT_ONCE = 8;
/** Larger files go alone, since their parts are on their way together. */
const LARGE_BYTES = 8 * 2 ** 20;

async function upload(
  io: FileIO,
  files: readonly { readonly path: string; readonly location: Location }[],
): Promise<void> {
  const done: Location[] = [];
  const one = async ({ path, location }: (typeof files)[number]): Promise<void> => {
    await io.createFrom(location, piecesOf(path));
    done.push(location);
    await rm(path);
  };
  const sizes = await Promise.all(files.map(async ({ path }) => (await stat(path)).size));
  const small = files.filter((_, index) => (sizes[index] ?? 0) <= LARGE_BYTES);
  const left = small.values();
  let hasFailed = false;
  const next = async (): Promise<void> => {
    for (const file of left) {
      if (hasFailed) return;
      await one(file).catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
    }
  };
  try {
    for (const [index, file] of files.entries()) if ((sizes[index] ?? 0) > LARGE_BYTES) await one(file);
    await allSettled(UPLOADS_AT_ONCE, next);
  } catch (error) {
    await io.delete(...done).catch(() => undefined); // the first error is the one to report
    throw error;
  }
}

/** Runs the same work so many times side by side; if one fails, then after all others have ended. */
async function allSettled(times: number, work: () => Promise<void>): Promise<void> {
  const ended = await Promise.allSettled(Array.from({ length: times }, work));
  const failed = ended.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

/** @throws MoraineError `METADATA_CORRUPT` */
export function defaultSpec({ partitionSpecs, defaultSpecId }: TableMetadata): PartitionSpec {
  const spec = partitionSpecs.find(({ specId }) => specId === defaultSpecId);
  if (spec !== undefined) return spec;
  throw new MoraineError('METADATA_CORRUPT', `The table has no partition spec ${defaultSpecId}, which is its default.`);
}
