/**
 * SQL over named tables, on an engine of its own that may open the files of those tables' snapshots and nothing else: no other file,
 * no setting, no variable of the environment, no other database. What it gives is staged as one Parquet file for the engine that goes on.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Connection,
  LATE_TIME,
  openEngine,
  quoteIdentifier,
  quoteLiteral,
  readableScanSql,
  scanSql,
  typedRelation,
  writeParquet,
} from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import { type BoundExpression, type Schema, UNPARTITIONED } from '../../iceberg/index.js';
import { type LocalPath, localPath } from '../../locations/index.js';
import {
  EMPTY_SCAN,
  localPathsOf,
  type OpenedScan,
  openScan,
  type PinnedSource,
  planSource,
} from '../../scans/index.js';
import type { FileIO } from '../../storage/index.js';
import type { ScanPlan, Table } from '../../tables/index.js';
import type { EntityRelation } from '../retrieval/entity-frame.js';
import { type HistoricalAsOf, pinSource } from '../views/pin-source.js';
import { type QueriedTable, refused, refuseLongQuery, tablesOfQuery, unknownTable } from './query-check.js';

/** A query over tables. */
export interface TableSql {
  /** One SELECT in DuckDB's dialect. Without ORDER BY its rows have no fixed order. */
  readonly sql: string;
  /** Name in the SQL -> `[CATALOG/]NS.TABLE`. Tables of one-level namespaces may also be named `NS.TABLE` in the SQL itself. */
  readonly tables?: ReadonlyMap<string, string>;
}

/** Dependencies of running a query. */
export interface TableSqlDeps {
  readonly io: FileIO;
  readonly engine: { readonly threads: number; readonly memoryLimitBytes: number };
  loadSource(name: string): Promise<Table>;
}

/** The rows of a query, staged. */
export interface StagedQuery extends EntityRelation {
  /** The tables that were read, by their names. */
  readonly sources: ReadonlyMap<string, PinnedSource>;
  /** The staged rows as a scan, for a relation of its own. */
  readonly open: (filter?: BoundExpression) => OpenedScan;
  /** Deletes the staged file. */
  readonly release: () => Promise<void>;
}

/** The engine of queries gets this share of the memory; its rows are staged before the other engine works on them. */
const MEMORY_SHARE = 0.5;

/** DuckDB's own number. */
const ASOF_LOOP_ROWS = 64;

interface NamedTable extends QueriedTable {
  readonly source: PinnedSource;
  readonly plan: ScanPlan;
}

/**
 * Runs a query and stages its rows where `connection` may read them.
 * @param what how the query is called in an error, such as `the entity SQL`
 * @throws INVALID_ARGUMENT for SQL that is refused or fails; TABLE_NOT_FOUND; TYPE_MISMATCH for a column that no table can have
 */
export async function stageTableSql(
  deps: TableSqlDeps,
  connection: Connection,
  query: TableSql,
  asOf: HistoricalAsOf,
  what: string,
  signal?: AbortSignal,
): Promise<StagedQuery> {
  refuseLongQuery(query.sql, what);
  const [[serialized] = []] = await connection.rows(`SELECT json_serialize_sql(${quoteLiteral(query.sql)})`);
  const { tables, sources } = await planTables(deps, tablesOfQuery(String(serialized), what), query, asOf, what);
  const folder = join(connection.tempDirectory, `sql-${randomUUID()}`);
  await mkdir(folder);
  const release = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const { path, rows, schema, untyped } = await runAlone(deps, tables, query.sql, folder, what, signal);
    const files = [{ path, recordCount: rows }];
    const open = (filter?: BoundExpression): OpenedScan => ({
      ...EMPTY_SCAN,
      scan: { files, ...(filter === undefined ? {} : { filter }) },
      rows: Number(rows),
    });
    return { relation: scanSql({ schema, files, naming: 'id' }), schema, untyped, sources, open, release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function planTables(
  deps: TableSqlDeps,
  queried: readonly QueriedTable[],
  query: TableSql,
  asOf: HistoricalAsOf,
  what: string,
): Promise<{ readonly tables: readonly NamedTable[]; readonly sources: ReadonlyMap<string, PinnedSource> }> {
  const aliases = new Map([...(query.tables ?? [])].map(([alias, name]) => [alias.toLowerCase(), name]));
  const sources = new Map<string, PinnedSource>();
  const tables: NamedTable[] = [];
  for (const table of queried) {
    const named = table.schema === '' ? aliases.get(table.name.toLowerCase()) : twoPartName(table);
    if (named === undefined) throw unknownTable(table, query.tables?.keys() ?? [], what);
    const source = sources.get(named) ?? pinSource(await deps.loadSource(named), named, asOf);
    sources.set(named, source);
    tables.push({ ...table, source, plan: await planSource(source) });
  }
  return { tables, sources };
}

/** `NS.TABLE` as table names are written. */
function twoPartName({ schema, name }: QueriedTable): string {
  const part = (text: string): string => (/^[^."/\s]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`);
  return `${part(schema)}.${part(name)}`;
}

/** Locations of every file that reading a plan opens: its data files and their delete files. */
function plannedLocations(plan: ScanPlan): readonly string[] {
  return plan.files.flatMap(({ file, deletes }) => {
    const vector = deletes?.vector === undefined ? [] : [deletes.vector];
    const applied = [...vector, ...(deletes?.positions ?? []), ...(deletes?.equality ?? [])];
    return [file.filePath, ...applied.map((entry) => entry.file.filePath)];
  });
}

interface Staged {
  readonly path: LocalPath;
  readonly rows: bigint;
  readonly schema: Schema;
  readonly untyped: readonly string[];
}

async function runAlone(
  deps: TableSqlDeps,
  tables: readonly NamedTable[],
  sql: string,
  folder: string,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Staged> {
  const files = new Set(tables.flatMap(({ plan }) => plannedLocations(plan)));
  const engine = await openEngine({
    memoryLimitBytes: Math.floor(deps.engine.memoryLimitBytes * MEMORY_SHARE),
    threads: deps.engine.threads,
    tempDirectory: folder,
    allowedDirectories: [],
    allowedFiles: await localPathsOf(deps.io, [...files]),
    asofLoopRows: ASOF_LOOP_ROWS,
  });
  try {
    return await engine.withConnection(
      async (alone) => {
        for (const table of tables) await alone.run(await viewSql(alone, table));
        return await stage(alone, sql, folder, what);
      },
      { signal },
    );
  } finally {
    await engine.close();
  }
}

/** Makes a table readable under the name that the query has for it. */
async function viewSql(connection: Connection, table: NamedTable): Promise<string> {
  const { source, plan, schema, name } = table;
  const { scan } = await openScan(connection, source, plan);
  const rows = await readableScanSql(connection, { ...scan, schema: source.schema });
  if (schema === '') return `CREATE VIEW ${quoteIdentifier(name)} AS SELECT * FROM ${rows}`;
  await connection.run(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`);
  return `CREATE VIEW ${quoteIdentifier(schema)}.${quoteIdentifier(name)} AS SELECT * FROM ${rows}`;
}

async function stage(connection: Connection, sql: string, folder: string, what: string): Promise<Staged> {
  const view = quoteIdentifier(`query ${randomUUID()}`);
  try {
    // As a view the SQL stands alone: no bracket or comment in it can reach beyond its end.
    await connection.run(`CREATE TEMPORARY VIEW ${view} AS ${sql}`);
    const { relation, schema, untyped } = await typedRelation(connection, `FROM ${view}`, what);
    const [file] = await writeParquet(connection, {
      select: `FROM ${relation}`,
      schema,
      spec: UNPARTITIONED,
      folder: connection.tempDirectory,
      namePrefix: 'rows',
      keepEmpty: true,
    });
    if (file === undefined) throw refused(what, 'it gives no rows to write');
    const path = localPath(join(folder, 'rows.parquet'));
    await rename(file.filePath, path);
    return { path, rows: file.recordCount, schema, untyped };
  } catch (error) {
    throw queryError(error, what);
  }
}

/** Users may read DuckDB's messages about their own SQL; for other failures the code says enough. */
function queryError(error: unknown, what: string): unknown {
  if (!isMoraineError(error, 'INTERNAL', 'TYPE_MISMATCH') || !(error.cause instanceof Error)) return error;
  if (LATE_TIME.test(error.cause.message)) return error;
  const reason = (error.cause.message.split('\n')[0] ?? '').replace(/[.!]$/, '');
  return refused(what, reason, error.cause);
}
