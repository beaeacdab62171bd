/** Records of simulated sources, and a query engine that writes the rows of a batch as the files of the simulation: lists of rows. */
import type { Connection, Engine } from '../../engine/index.js';
import { currentSchema, type DataFile, type PrimitiveValue } from '../../iceberg/index.js';
import type { DeadLetterColumn } from '../../sink/dead-letters/dead-letter-table.js';
import type { RejectedRecord, SinkRecords } from '../../sink/index.js';
import type { RowsToStage } from '../../staging/index.js';
import type { Table } from '../../tables/index.js';
import { type Letter, type Row, writeLetters, writeRows } from './row-files.js';
import type { SourceRecord } from './sink-records.js';

/** Is told of what is staged. */
export interface StagingWatcher {
  /** The files of a batch's rows are written. */
  staged(batchId: string, records: readonly SourceRecord[]): void;
  /** Those of a batch's dead letters are. */
  readonly letters: { staged(letters: readonly Letter[]): void };
}

type LoadedRow = readonly (PrimitiveValue | null)[];

interface SimulatedConnection {
  readonly watcher: StagingWatcher;
  /** Temporary tables. */
  readonly loaded: Map<string, readonly LoadedRow[]>;
  readonly run: (sql: string) => Promise<void>;
}

/** An engine that runs no SQL: it hands on what {@link stageRecords} needs. */
export function simulatedEngine(watcher: StagingWatcher): Engine {
  const connection: SimulatedConnection = { watcher, loaded: new Map(), run: () => Promise.resolve() };
  const withConnection = <T>(use: (connection: Connection) => Promise<T>) => use(connection as unknown as Connection);
  return { withConnection } as unknown as Engine;
}

/** Records as sinks take them. Their statement is a comment that holds them. */
export function recordsOf(records: readonly SourceRecord[]): SinkRecords {
  const sql = `/*${JSON.stringify(records)}*/`;
  const rows = BigInt(records.filter(({ row }) => row !== null).length);
  const opened = { sql, rows, rejected: records.flatMap(rejectionOf), close: () => Promise.resolve() };
  return { count: records.length, bytes: 10 * records.length, open: () => Promise.resolve(opened) };
}

function rejectionOf({ partition, offset, row }: SourceRecord): readonly RejectedRecord[] {
  if (row !== null) return [];
  const raw = Buffer.from(`bad ${offset}`);
  const position = partition === null ? null : { partition, offset: BigInt(offset) };
  return [{ reason: 'NOT_AN_OBJECT', message: 'it is no row', raw, position }];
}

/** In place of `loadRows`: {@link stageRecords} finds them. */
export function keepRows(
  connection: Connection,
  name: string,
  _types: unknown,
  rows: readonly LoadedRow[],
): Promise<void> {
  (connection as unknown as SimulatedConnection).loaded.set(name, rows);
  return Promise.resolve();
}

/** In place of `stageRows`: one file for each partition of the table. */
export async function stageRecords(
  connection: Connection,
  table: Table,
  { select, namePrefix }: RowsToStage,
): Promise<readonly DataFile[]> {
  const { watcher, loaded } = connection as unknown as SimulatedConnection;
  const letters = loaded.get(/ FROM (\w+)$/.exec(select)?.[1] ?? '');
  if (letters !== undefined) return await stageLetters(watcher, table, namePrefix, letters);
  const records = [...select.matchAll(/\/\*(\[.*?\])\*\//g)].flatMap(
    ([, json]) => JSON.parse(json ?? '[]') as readonly SourceRecord[],
  );
  const rows = records.flatMap(({ row }) => (row === null ? [] : [row]));
  const files: DataFile[] = [];
  for (const [p, ofPartition] of byPartition(rows))
    files.push(await writeRows(table, `${namePrefix}-${p}`, p, ofPartition));
  watcher.staged(namePrefix, records);
  return files;
}

const MICROSECONDS_OF_DAY = 86_400_000_000n;

/** One file: those of a batch were left out at one time. */
async function stageLetters(
  watcher: StagingWatcher,
  table: Table,
  namePrefix: string,
  rows: readonly LoadedRow[],
): Promise<readonly DataFile[]> {
  const { fields } = currentSchema(table.metadata);
  const of = (row: LoadedRow, column: DeadLetterColumn) => row[fields.findIndex(({ name }) => name === column)] ?? null;
  const textOf = (row: LoadedRow, column: DeadLetterColumn) => of(row, column) as string;
  const letters = rows.map((row): Letter => {
    const position = of(row, 'position');
    return {
      id: textOf(row, 'id'),
      sink: textOf(row, 'sink'),
      batch: textOf(row, 'batch'),
      source: of(row, 'source') as string | null,
      position: position === null ? null : Number(position),
    };
  });
  const day = Number((of(rows[0] ?? [], 'rejected_at') as bigint) / MICROSECONDS_OF_DAY);
  const file = await writeLetters(table, namePrefix, day, letters);
  watcher.letters.staged(letters);
  return [file];
}

function byPartition(rows: readonly Row[]): ReadonlyMap<number, readonly Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) groups.set(row.p, [...(groups.get(row.p) ?? []), row]);
  return groups;
}
