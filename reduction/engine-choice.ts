/** Which engine reduces rows: DuckDB in this process, or Trino. */
import { MoraineError } from '../errors/index.js';
import type { TrinoEngine } from './trino/trino-engine.js';

/** `auto`: by the bytes of the files that are left after pruning. */
export type EngineType = 'duckdb' | 'trino' | 'auto';

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
  readonly reason: string;
}

const DUCKDB: ChosenEngine = { engine: 'duckdb', reason: 'no other engine is configured' };

/**
 * The engine for a read.
 * @param bytes of the files that are left after pruning
 * @throws MoraineError `CONFIG_INVALID` if Trino is asked for and not configured
 */
export function chooseEngine(choice: EngineChoice | undefined, bytes: bigint): ChosenEngine {
  if (choice === undefined) return DUCKDB;
  const { type, trinoAboveBytes, trino } = choice;
  if (trino === null) {
    if (type !== 'trino') return DUCKDB;
    throw new MoraineError('CONFIG_INVALID', 'engine.type is trino, but it is not said where Trino is: set trino.uri.');
  }
  if (type !== 'auto') return { engine: type, reason: `engine.type is ${type}` };
  const isLarge = bytes > BigInt(trinoAboveBytes);
  const limit = `engine.trinoAbove (${trinoAboveBytes} bytes)`;
  return isLarge
    ? { engine: 'trino', reason: `${bytes} bytes after pruning are more than ${limit}` }
    : { engine: 'duckdb', reason: `${bytes} bytes after pruning are within ${limit}` };
}
