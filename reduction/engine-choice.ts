/** Which engine reduces rows: DuckDB in this process, or Trino. */
import { MoraineError } from '../errors/index.js';
import type { Table } from '../tables/index.js';
import { FORMAT_THREE, NEWEST_TRINO_FORMAT } from './trino/format-three.js';
import { nameObstacle } from './trino/table-names.js';
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

/** What is to be read. */
export interface SizedRead {
  readonly source: Pick<Table, 'identifier' | 'metadata' | 'catalog'>;
  /** Of the files that are left after pruning. */
  readonly bytes: bigint;
  /** The states of the source that are read; null: one without rows. */
  readonly snapshotIds: readonly (bigint | null)[];
}

/**
 * The engine for a read. Tables that Trino cannot read are refused where it was asked for, and left to DuckDB by `auto`. States that Trino is not
 * shown are left to DuckDB in any case: the next run reads newer ones.
 * @throws MoraineError `CONFIG_INVALID` if Trino is asked for and not configured
 */
export function chooseEngine(
  choice: EngineChoice | undefined,
  read: SizedRead,
  { run, view }: AskedEngine = {},
): ChosenEngine {
  const { type: ofProject, trinoAboveBytes, trino } = choice ?? NO_CHOICE;
  const type = run ?? view ?? ofProject;
  const asked = run === undefined ? (view === undefined ? 'engine.type is' : 'the view asks for') : 'the run asks for';
  if (trino === null) {
    if (type !== 'trino') return DUCKDB;
    throw new MoraineError('CONFIG_INVALID', `${asked} trino, but it is not said where Trino is: set trino.uri.`);
  }
  return type === 'auto' ? chooseBySize(trinoAboveBytes, read) : chooseAsAsked(type, asked, read);
}

type ExplainedEngine = ChosenEngine & { readonly reason: string };

/** The engine of a view's runs that ask for none, whether or not a Trino is configured: as the view says, else as `auto` chooses. */
export function expectEngine(view: EngineType | undefined, trinoAboveBytes: number, read: SizedRead): ExplainedEngine {
  if (view === undefined || view === 'auto') return chooseBySize(trinoAboveBytes, read);
  const { engine, reason } = chooseAsAsked(view, 'the view asks for', read);
  const obstacle = engine === 'trino' ? obstacleOnTrino(read) : null;
  return { engine, reason: obstacle === null ? reason : `${reason}, which is refused: ${obstacle}` };
}

function chooseAsAsked(type: ChosenEngine['engine'], asked: string, read: SizedRead): ExplainedEngine {
  const hidden = type === 'trino' ? hiddenState(read) : null;
  return hidden === null
    ? { engine: type, reason: `${asked} ${type}` }
    : { engine: 'duckdb', reason: `${asked} ${type}, but ${hidden}` };
}

function chooseBySize(trinoAboveBytes: number, read: SizedRead): ExplainedEngine {
  const { bytes } = read;
  const limit = `engine.trinoAbove (${trinoAboveBytes} bytes)`;
  if (bytes <= BigInt(trinoAboveBytes))
    return { engine: 'duckdb', reason: `${bytes} bytes after pruning are within ${limit}` };
  const large = `${bytes} bytes after pruning are more than ${limit}`;
  const obstacle = obstacleOnTrino(read) ?? hiddenState(read);
  return obstacle === null
    ? { engine: 'trino', reason: large }
    : { engine: 'duckdb', reason: `${large}, but ${obstacle}` };
}

/** Why Trino cannot read a table, as far as that is seen before the types of its columns are; null: it can. */
function obstacleOnTrino({ source, snapshotIds }: SizedRead): string | null {
  const { metadata, catalog } = source;
  if (metadata.formatVersion > NEWEST_TRINO_FORMAT) return `the table has ${FORMAT_THREE}`;
  if (catalog?.isReadOnly === true) return `tables of catalog ${catalog.name} are only read`;
  return nameObstacle({ ...source, snapshotIds });
}

/** Why Trino is not shown a state that is read; null: it is. Where branches are the catalog's, it shows Trino the newest state of a table alone. */
function hiddenState({ source: { metadata, catalog }, snapshotIds }: SizedRead): string | null {
  if (catalog?.hasTableRefs !== false) return null;
  const isNewest = (snapshotId: bigint | null): boolean => snapshotId === metadata.currentSnapshotId;
  return snapshotIds.every(isNewest) ? null : `catalog ${catalog.name} shows Trino the newest state of a table alone`;
}
