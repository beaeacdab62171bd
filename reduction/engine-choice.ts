/** Which engine reduces rows: DuckDB in this process, or Trino. */
import { MoraineError } from '../errors/index.js';
import type { Table } from '../tables/index.js';
import { NEWEST_TRINO_FORMAT } from './trino/compile.js';
import type { TrinoEngine } from './trino/trino-engine.js';

/** `auto`: by the bytes of the files that are left after pruning. */
export const ENGINE_TYPES = ['duckdb', 'trino', 'auto'] as const;
export type EngineType = (typeof ENGINE_TYPES)[number];

/** Who asks for an engine besides the project; a run counts before its view, and a view before the project. */
export interface AskedEngine {
  readonly run?: EngineType | undefined;
  readonly view?: EngineType | undefined;
}

/** What a project says of engines. */
export interface EngineChoice {
  readonly type: EngineType;
  /** With `auto`: more bytes than these go to Trino. */
  readonly trinoAboveBytes: number;
  /** Null: no Trino is configured. */
  readonly trino: TrinoEngine | null;
}

/** An engine, and why it was chosen. */
export interface ChosenEngine {
  readonly engine: 'duckdb' | 'trino';
  /** Null: there was nothing to choose. */
  readonly reason: string | null;
}

const NO_CHOICE: EngineChoice = { type: 'duckdb', trinoAboveBytes: 0, trino: null };
const DUCKDB: ChosenEngine = { engine: 'duckdb', reason: null };

/** Whether `auto` leaves so many bytes to Trino. */
export const isForTrino = (trinoAboveBytes: number, bytes: bigint): boolean => bytes > BigInt(trinoAboveBytes);

/** What is to be read. */
export interface SizedRead {
  readonly source: Pick<Table, 'metadata' | 'catalog'>;
  /** Of the files that are left after pruning. */
  readonly bytes: bigint;
}

/**
 * The engine for a read. Tables that Trino cannot read are refused where it was asked for, and left to DuckDB by `auto`.
 * @throws MoraineError `CONFIG_INVALID` if Trino is asked for and not configured
 */
export function chooseEngine(
  choice: EngineChoice | undefined,
  { source, bytes }: SizedRead,
  { run, view }: AskedEngine = {},
): ChosenEngine {
  const { type: ofProject, trinoAboveBytes, trino } = choice ?? NO_CHOICE;
  const type = run ?? view ?? ofProject;
  const asked = run === undefined ? (view === undefined ? 'engine.type is' : 'the view asks for') : 'the run asks for';
  if (trino === null) {
    if (type !== 'trino') return DUCKDB;
    throw new MoraineError('CONFIG_INVALID', `${asked} trino, but it is not said where Trino is: set trino.uri.`);
  }
  if (type !== 'auto') return { engine: type, reason: `${asked} ${type}` };
  const limit = `engine.trinoAbove (${trinoAboveBytes} bytes)`;
  if (!isForTrino(trinoAboveBytes, bytes))
    return { engine: 'duckdb', reason: `${bytes} bytes after pruning are within ${limit}` };
  const large = `${bytes} bytes after pruning are more than ${limit}`;
  const obstacle = obstacleOnTrino(source);
  return obstacle === null
    ? { engine: 'trino', reason: large }
    : { engine: 'duckdb', reason: `${large}, but ${obstacle}` };
}

/** Why Trino cannot read a table, as far as that is seen before its columns are; null: it can. */
function obstacleOnTrino({ metadata, catalog }: SizedRead['source']): string | null {
  if (metadata.formatVersion > NEWEST_TRINO_FORMAT)
    return `Trino does not read format version ${metadata.formatVersion}`;
  return catalog?.isReadOnly === true ? `tables of catalog ${catalog.name} are only read` : null;
}
