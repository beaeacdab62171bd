/** Data and delete files as lists of rows in JSON: what is simulated is the protocol, not the format of files. */
import { type DataFile, DELETE_FILE_PATH_ID, serializeValue } from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import type { PlannedFile, Table } from '../../tables/index.js';

/** `id` is unique in a simulation; `p` is the partition. */
export interface Row {
  readonly id: number;
  readonly k: number;
  readonly p: number;
}

/** A live row and where it is. */
export interface PlacedRow extends Row {
  readonly position: number;
}

/** A dead letter, as far as the simulation looks at it. */
export interface Letter {
  readonly id: string;
  readonly sink: string;
  readonly batch: string;
  /** Null: the record had no position. */
  readonly source: string | null;
  readonly position: number | null;
}

interface Content {
  readonly rows?: readonly Row[];
  readonly letters?: readonly Letter[];
  readonly positions?: readonly number[];
  readonly keys?: readonly number[];
}

type Described = Pick<DataFile, 'content' | 'fileFormat'> & Partial<DataFile>;

async function write(table: Table, name: string, p: number, content: Content, described: Described): Promise<DataFile> {
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  const filePath = `${table.metadata.location}/data/${name}`;
  await table.io.create(filePath, bytes);
  const count = (content.rows ?? content.letters ?? content.positions ?? content.keys ?? []).length;
  return {
    filePath,
    specId: 0,
    partition: [p],
    recordCount: BigInt(count),
    fileSizeInBytes: BigInt(bytes.length),
    ...described,
  };
}

/** @param name of the file, never used before */
export function writeRows(table: Table, name: string, p: number, rows: readonly Row[]): Promise<DataFile> {
  return write(table, `${name}.rows`, p, { rows }, { content: 'data', fileFormat: 'PARQUET' });
}

/** @param day the partition: days since 1970 */
export function writeLetters(table: Table, name: string, day: number, letters: readonly Letter[]): Promise<DataFile> {
  return write(table, `${name}.letters`, day, { letters }, { content: 'data', fileFormat: 'PARQUET' });
}

/** An equality-delete file for rows of a partition with these keys. */
export function writeKeys(table: Table, name: string, p: number, keys: readonly number[]): Promise<DataFile> {
  const described = { content: 'equality-deletes', fileFormat: 'PARQUET', equalityIds: [2] } as const;
  return write(table, `${name}.keys`, p, { keys }, described);
}

/** A position-delete file for one data file, or in version 3 its deletion vector. */
export function writePositions(
  table: Table,
  name: string,
  dataFile: DataFile,
  positions: readonly number[],
): Promise<DataFile> {
  const [p] = dataFile.partition as readonly number[];
  const path = serializeValue({ kind: 'string' }, dataFile.filePath);
  const bounds = new Map([[DELETE_FILE_PATH_ID, path]]);
  const described: Described =
    table.metadata.formatVersion === 3
      ? {
          content: 'position-deletes',
          fileFormat: 'PUFFIN',
          referencedDataFile: dataFile.filePath,
          contentOffset: 4n,
          contentSizeInBytes: 40n,
        }
      : { content: 'position-deletes', fileFormat: 'PARQUET', lowerBounds: bounds, upperBounds: bounds };
  return write(table, `${name}.positions`, p ?? 0, { positions }, described);
}

async function read(io: FileIO, { filePath }: DataFile): Promise<Content> {
  return JSON.parse(new TextDecoder().decode(await io.read(filePath))) as Content;
}

/** The positions that delete files of one data file name, in order. */
export async function readPositions(io: FileIO, deletes: readonly DataFile[]): Promise<number[]> {
  const contents = await Promise.all(deletes.map((file) => read(io, file)));
  return [...new Set(contents.flatMap(({ positions }) => positions ?? []))].sort((a, b) => a - b);
}

/** The dead letters of a planned file, which has no deletes. */
export async function readLetters(io: FileIO, { file }: PlannedFile): Promise<readonly Letter[]> {
  return (await read(io, file)).letters ?? [];
}

/** The rows that a planned file's deletes leave. */
export async function readLiveRows(io: FileIO, { file, deletes }: PlannedFile): Promise<readonly PlacedRow[]> {
  const { vector, positions = [], equality = [] } = deletes ?? {};
  const byPosition = vector === undefined ? positions : [vector];
  const gone = new Set(
    await readPositions(
      io,
      byPosition.map(({ file: deleteFile }) => deleteFile),
    ),
  );
  const keys = new Set<number>();
  for (const { file: deleteFile } of equality) {
    for (const key of (await read(io, deleteFile)).keys ?? []) keys.add(key);
  }
  const { rows = [] } = await read(io, file);
  return rows
    .map((row, position) => ({ ...row, position }))
    .filter(({ k, position }) => !gone.has(position) && !keys.has(k));
}
