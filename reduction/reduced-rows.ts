/**
 * Reduced rows: the rows that are left of a run's source once each of its parts, or another engine, has kept those that may win among the
 * rows that it read. They are staged by shard as files of a table of no catalog, and listed in a file beside the plan; the shards of the
 * run merge them.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Connection } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import {
  currentSchema,
  type DataFile,
  type NestedField,
  newTableMetadata,
  parseTableMetadata,
  type Schema,
  schemaToJson,
  type TableMetadata,
  tableMetadataToJson,
} from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import { type OpenFiles, openFiles } from '../scans/index.js';
import { type SizeOfFiles, type StagingTable, sizeOfFiles, stageRows } from '../staging/index.js';
import type { FileIO } from '../storage/index.js';
import { longText, openPinnedTable, type PinnedTable, type Table } from '../tables/index.js';
import { reductionFaultPoint } from './fault-point.js';

/** A file of reduced rows. */
export interface ReducedFile {
  readonly location: Location;
  readonly recordCount: bigint;
  readonly fileSizeInBytes: bigint;
  /** Says nothing of the rows, each of which has its own. */
  readonly sequenceNumber: bigint;
  /** The shard that all of its rows belong to. */
  readonly shard: number;
}

export interface ReducedRows {
  /** The table that the files were written for. */
  readonly table: PinnedTable & { readonly metadata: TableMetadata };
  readonly files: readonly ReducedFile[];
}

/** What a part has left. */
export interface StagedReduction extends SizeOfFiles {
  /** The list of the part's rows; null: no row of its files counts. */
  readonly reducedLocation: Location | null;
}

/**
 * Metadata of a table for reduced rows, partitioned by its column `shard`. It is in no catalog.
 * @param location the folder of the table
 * @param properties of a table that tell where data files go
 */
export function reducedTableMetadata(
  schema: Schema,
  location: Location,
  properties: ReadonlyMap<string, string> = new Map(),
): TableMetadata {
  const { id: sourceId } = columnNamed(schema, 'shard');
  const field = { sourceId, fieldId: 1000, name: 'shard', transform: { kind: 'identity' } } as const;
  return newTableMetadata({
    schema,
    partitionSpec: { specId: 0, fields: [field] },
    location,
    // Read once, and soon: a third less CPU to write than with zstd, for a third more bytes.
    properties: new Map([...properties, ['write.parquet.compression-codec', 'lz4']]),
    tableUuid: randomUUID(),
    nowMs: 0n,
  });
}

/** A column of reduced rows. @throws METADATA_CORRUPT if the table lacks it */
export function columnNamed(schema: Schema, name: string): NestedField {
  const column = schema.fields.find((field) => field.name === name);
  if (column !== undefined) return column;
  throw new MoraineError('METADATA_CORRUPT', `A table of reduced rows has no column '${name}'.`);
}

/** Stages reduced rows; nobody finds them before they are listed. */
export async function stageReducedRows(
  connection: Connection,
  table: StagingTable,
  rows: { readonly select: string; readonly namePrefix: string },
): Promise<readonly DataFile[]> {
  reductionFaultPoint('before-reduced-files');
  // Collected, so that they need not be sorted by shard as well.
  return await stageRows(connection, table, { ...rows, sortBy: [], collected: 'first' });
}

/**
 * Lists staged files.
 * @param location of the list
 */
export async function listReducedRows(
  { io, metadata }: StagingTable,
  location: Location,
  files: readonly DataFile[],
): Promise<StagedReduction> {
  reductionFaultPoint('after-reduced-files');
  const size = sizeOfFiles(files);
  if (files.length === 0) return { reducedLocation: null, ...size };
  const table = { metadataLocation: location, metadata };
  await writeReducedRows(io, location, { table, files: files.map((file) => reducedFile(metadata, file)) });
  reductionFaultPoint('after-reduced-list');
  return { reducedLocation: location, ...size };
}

function reducedFile(metadata: TableMetadata, { filePath, recordCount, fileSizeInBytes, partition }: DataFile) {
  const [shard] = partition;
  if (typeof shard !== 'number') throw new MoraineError('INTERNAL', `${filePath} is of no shard.`);
  return { location: filePath, recordCount, fileSizeInBytes, sequenceNumber: metadata.lastSequenceNumber, shard };
}

/** The location of a list of reduced rows, beside the plan: what keeps the plan from being swept keeps the list as well. */
export function reducedLocation(planLocation: Location, part: string): Location {
  return `${planLocation.replace(/\.json$/, '')}-reduced-${part}.json`;
}

const MAX_REDUCED_BYTES = 64 * 2 ** 20;

const fileJson = z
  .tuple([z.number().int().nonnegative(), z.tuple([z.string(), longText, longText, longText])])
  .transform(([shard, [location, recordCount, fileSizeInBytes, sequenceNumber]]): ReducedFile => {
    return { location, recordCount, fileSizeInBytes, sequenceNumber, shard };
  });
const reducedJson = z.object({
  version: z.literal(1),
  table: z.object({
    metadataLocation: z.string(),
    metadata: z.string().transform((text) => parseTableMetadata(text)),
  }),
  files: z.array(fileJson),
});

async function writeReducedRows(io: FileIO, location: Location, { table, files }: ReducedRows): Promise<void> {
  const json = {
    version: 1,
    table: { ...table, metadata: tableMetadataToJson(table.metadata) },
    files: files.map(({ shard, location: file, recordCount, fileSizeInBytes, sequenceNumber }) => [
      shard,
      [file, ...[recordCount, fileSizeInBytes, sequenceNumber].map(String)],
    ]),
  };
  await io.create(location, Buffer.from(JSON.stringify(json)));
}

/** Reads a list of reduced rows. @throws FILE_NOT_FOUND, LIMIT_EXCEEDED; METADATA_CORRUPT if the file is something else */
export async function readReducedRows(io: FileIO, location: Location): Promise<ReducedRows> {
  const bytes = await io.read(location, { maxBytes: MAX_REDUCED_BYTES });
  try {
    return reducedJson.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new MoraineError('METADATA_CORRUPT', `${location} is not a list of reduced rows.`, { cause });
  }
}

/**
 * The rows of one shard in lists, those of tables with equal columns as one: parts write alike, and one scan is cheaper than many.
 * @throws as {@link readReducedRows}
 */
export async function readReducedLists(
  io: FileIO,
  locations: readonly Location[],
  shard: number,
): Promise<readonly ReducedRows[]> {
  const byColumns = new Map<string, { readonly table: ReducedRows['table']; readonly files: ReducedFile[] }>();
  for (const { table, files } of await Promise.all(locations.map((location) => readReducedRows(io, location)))) {
    const columns = JSON.stringify(schemaToJson(currentSchema(table.metadata)));
    const known = byColumns.get(columns) ?? { table, files: [] };
    known.files.push(...files.filter((file) => file.shard === shard));
    byColumns.set(columns, known);
  }
  return [...byColumns.values()].filter(({ files }) => files.length > 0);
}

/** Opens the files of reduced rows. @returns with the table that they were written for */
export async function openReducedRows(
  connection: Connection,
  io: FileIO,
  { table: pinned, files }: ReducedRows,
): Promise<{ readonly table: Table; readonly opened: OpenFiles }> {
  const table = await openPinnedTable(io, pinned, pinned.metadataLocation);
  return { table, opened: await openFiles(connection, table, files) };
}

/** Rows of parts that all have the same columns; undefined: there are none. @param what they are of, for people. @throws METADATA_CORRUPT */
export function requireAlike(reduced: readonly ReducedRows[], what: string): ReducedRows | undefined {
  const [rows, another] = reduced;
  if (another === undefined) return rows;
  throw new MoraineError('METADATA_CORRUPT', `The parts of ${what} have left rows in different columns.`);
}

/**
 * Deletes reduced rows and their lists, as far as they are there.
 * @param namePrefix of the run's files: a list may have been written by somebody else
 */
export async function discardReducedRows(
  io: FileIO,
  namePrefix: string,
  locations: readonly Location[],
): Promise<void> {
  for (const location of locations) {
    try {
      const { files } = await readReducedRows(io, location);
      const own = files.map((file) => file.location).filter((file) => nameOf(file).startsWith(namePrefix));
      await io.delete(...own);
      await io.delete(location);
    } catch (error) {
      if (!isMoraineError(error, 'FILE_NOT_FOUND')) throw error;
    }
  }
}

const nameOf = (path: Location): string => path.slice(path.lastIndexOf('/') + 1);
