/** Where the entity rows of a command come from: a file, a table, or SQL over tables. */
import type { Entities } from '../../client/index.js';
import { parseTimeUs } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import type { FeatureWindow, HistoricalAsOf } from '../../features/index.js';
import { inputPath } from './input-path.js';

/** Options that say where entity rows come from: exactly one of the first three is given, or none and a window. */
export interface EntitiesOptions {
  readonly entities?: string;
  readonly entitiesTable?: string;
  readonly entitiesSql?: string;
  readonly table?: readonly string[];
  readonly start?: string;
  readonly end?: string;
}

/** Entity rows, and the folders that the query engine must be allowed to read for them. */
export interface EntitiesInput {
  readonly entities: Entities;
  readonly folders: readonly string[];
}

/**
 * @param asOf the state at which tables of entity rows are read
 * @throws INVALID_ARGUMENT for none or several of the options
 */
export async function entitiesInput(options: EntitiesOptions, asOf?: HistoricalAsOf): Promise<EntitiesInput> {
  const { entities, entitiesTable, entitiesSql, start, end } = options;
  const hasWindow = start !== undefined || end !== undefined;
  const given = [entities, entitiesTable, entitiesSql].filter((option) => option !== undefined);
  if (given.length + (hasWindow ? 1 : 0) !== 1) {
    const choice = '--entities, --entities-table, --entities-sql, and --start with --end';
    throw new MoraineError('INVALID_ARGUMENT', `give one of ${choice}`);
  }
  const state = asOf === undefined ? {} : { asOf };
  const tables = sqlTables(options.table ?? [], entitiesSql !== undefined);
  if (hasWindow) return { entities: { window: windowOf(start, end) }, folders: [] };
  if (entitiesSql !== undefined) return { entities: { sql: entitiesSql, tables, ...state }, folders: [] };
  if (entitiesTable !== undefined) return { entities: { table: entitiesTable, ...state }, folders: [] };
  const { file, folder } = await inputPath(entities ?? '');
  return { entities: { file }, folders: [folder] };
}

function windowOf(start: string | undefined, end: string | undefined): FeatureWindow {
  return {
    ...(start === undefined ? {} : { startUs: parseTimeUs(start, '--start') }),
    ...(end === undefined ? {} : { endUs: parseTimeUs(end, '--end') }),
  };
}

/**
 * Reads `--table NAME=NS.TABLE`, given several times.
 * @throws INVALID_ARGUMENT
 */
export function sqlTables(texts: readonly string[], hasSql: boolean): ReadonlyMap<string, string> {
  if (texts.length > 0 && !hasSql) throw new MoraineError('INVALID_ARGUMENT', '--table goes with SQL');
  const tables = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    const alias = text.slice(0, Math.max(equals, 0));
    if (alias === '' || equals === text.length - 1) {
      throw new MoraineError('INVALID_ARGUMENT', `--table ${JSON.stringify(text)}: write NAME=NAMESPACE.TABLE`);
    }
    if (tables.has(alias))
      throw new MoraineError('INVALID_ARGUMENT', `--table: ${JSON.stringify(alias)} is given twice`);
    tables.set(alias, text.slice(equals + 1));
  }
  return tables;
}
