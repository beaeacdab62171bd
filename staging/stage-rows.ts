/** Rows become data files: the one place where new files of a table get their names, their format and their place in storage. */
import { type Connection, type ParquetWrite, type WrittenPath, writeParquet } from '../engine/index.js';
import {
  currentSchema,
  type DataFile,
  defaultSpec,
  type PartitionSpec,
  type Schema,
  type TableMetadata,
} from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';
import { dataFileLocation, dataFolder } from './data-locations.js';
import { parquetSettings, sortColumns } from './parquet-settings.js';
import { Uploads } from './uploads.js';

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
  table: StagingTable,
  rows: RowsToStage,
): Promise<readonly DataFile[]> {
  return await stageInTurn(connection, table, (stage) => stage(rows));
}

/** The table that new files are for. */
export type StagingTable = Pick<Table, 'io' | 'metadata'>;

/**
 * The same for rows that come from several statements, one after the other: files of a store are uploaded while the next ones are written.
 * @param work calls its argument for the rows of each statement; the entries count when `stageInTurn` returns
 */
export async function stageInTurn<T>(
  connection: Connection,
  { io, metadata }: StagingTable,
  work: (stage: (rows: RowsToStage) => Promise<readonly DataFile[]>) => Promise<T>,
): Promise<T> {
  const files: NewFiles = {
    folder: dataFolder(metadata),
    locationOf: (name) => dataFileLocation(metadata, name),
  };
  return await withPublisher(connection, io, files, (publisher) =>
    work((rows) => writeParquet(connection, { ...parquetWrite(metadata, rows), ...publisher })),
  );
}

function parquetWrite(metadata: TableMetadata, rows: RowsToStage): Omit<ParquetWrite, 'folder' | 'publish'> {
  const schema = rows.schema ?? currentSchema(metadata);
  const spec = rows.spec ?? defaultSpec(metadata);
  const { targetFileBytes, ...settings } = parquetSettings(metadata, schema);
  const order = rows.sortBy === undefined ? defaultOrder(metadata, schema, spec) : {};
  // Rows in an order of the caller's stay together.
  const split = rows.sortBy === undefined && targetFileBytes !== undefined ? { targetFileBytes } : {};
  return { ...settings, ...order, ...split, ...rows, schema, spec };
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
  files: NewFiles,
): Promise<readonly DataFile[]> {
  return await withPublisher(connection, io, files, (publisher) =>
    writeParquet(connection, { ...write, ...publisher }),
  );
}

/** Where files are written, and who gives them their places. */
type Publisher = Required<Pick<ParquetWrite, 'folder' | 'publish'>>;

async function withPublisher<T>(
  connection: Connection,
  io: FileIO,
  { folder, locationOf }: NewFiles,
  work: (publisher: Publisher) => Promise<T>,
): Promise<T> {
  const placed = (files: readonly WrittenPath[]) =>
    files.map(({ path, name }) => ({ path, location: locationOf(name) }));
  const localFiles = io.localFiles(folder);
  if (localFiles !== null) {
    const publish: Publisher['publish'] = async (written) => {
      const files = placed(written);
      await localFiles.adopt(files);
      return files.map(({ location }) => location);
    };
    return await work({ folder: await localFiles.prepareFolder(folder), publish });
  }
  const uploads = new Uploads(io, connection.tempDirectory);
  try {
    const publish: Publisher['publish'] = async (written) => {
      const files = placed(written);
      await uploads.add(files);
      return files.map(({ location }) => location);
    };
    const result = await work({ folder: connection.tempDirectory, publish });
    await uploads.finish();
    return result;
  } catch (error) {
    await uploads.abandon();
    throw error;
  } finally {
    await uploads.close();
  }
}
