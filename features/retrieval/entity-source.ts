/** Where entity rows come from: objects, whatever the caller can open on a connection, an Iceberg table, or SQL over tables. */
import { type Connection, readableScanSql } from '../../engine/index.js';
import type { BoundExpression } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { openScan, type PinnedSource, planSource } from '../../scans/index.js';
import { stageTableSql, type TableSql, type TableSqlDeps } from '../query/table-sql.js';
import { type HistoricalAsOf, pinSource } from '../views/pin-source.js';
import type { EntityRelation } from './entity-frame.js';
import { type EntityRow, relationOfRows } from './entity-rows.js';
import { type KeyTypes, noEntities, withKnownTypes } from './entity-types.js';

export type { KeyTypes } from './entity-types.js';

/** Where the entity rows come from. */
export type EntitySource =
  | { readonly rows: readonly EntityRow[] }
  | {
      /** @param keyTypes types of the join keys, for a source whose values are text */
      readonly open: (connection: Connection, keyTypes: KeyTypes) => Promise<EntityRelation>;
    }
  | {
      /** The rows of an Iceberg table, `[CATALOG/]NS.TABLE`. */
      readonly table: string;
      /** As it is now unless given. */
      readonly asOf?: HistoricalAsOf;
    }
  | {
      /** The rows of a query over tables. */
      readonly query: TableSql;
      /** The tables as they are now unless given. */
      readonly asOf?: HistoricalAsOf;
    };

/** Entity rows, and the tables that they were read from. */
export interface OpenedEntities extends EntityRelation {
  readonly sources: ReadonlyMap<string, PinnedSource>;
  /** Drops what was staged for the relation. */
  release(): Promise<void>;
}

/** Dependencies of opening entity rows. */
export interface EntityContext {
  readonly deps: TableSqlDeps;
  readonly connection: Connection;
  readonly keyTypes: KeyTypes;
  readonly signal?: AbortSignal | undefined;
}

const NO_SOURCES = { sources: new Map<string, PinnedSource>(), release: () => Promise.resolve() };

/** Opens the entity rows of a request on its connection. Every column has a type. */
export async function openEntities(context: EntityContext, source: EntitySource): Promise<OpenedEntities> {
  const opened = await openEntitySource(context, source);
  return { ...opened, ...(await withKnownTypes(context.connection, opened, context.keyTypes)) };
}

/** Opens rows as they are. Columns that have no value may have the type `unknown`, and a file without rows may have no columns. */
export async function openEntitySource(context: EntityContext, source: EntitySource): Promise<OpenedEntities> {
  const { deps, connection, keyTypes, signal } = context;
  if ('table' in source) return await openTable(context, source.table, source.asOf ?? {});
  if ('query' in source) {
    return await stageTableSql(deps, connection, source.query, source.asOf ?? {}, 'the entity SQL', signal);
  }
  if ('open' in source) return { ...(await source.open(connection, keyTypes)), ...NO_SOURCES };
  return {
    ...(source.rows.length === 0 ? noEntities(keyTypes) : relationOfRows(source.rows, keyTypes)),
    ...NO_SOURCES,
  };
}

async function openTable({ deps, connection }: EntityContext, name: string, asOf: HistoricalAsOf) {
  const source = pinSource(await deps.loadSource(name), name, asOf);
  const opened = await openTableRows(connection, source);
  return { ...opened, sources: new Map([[name, source]]), release: NO_SOURCES.release };
}

/**
 * The rows of a table; columns are called by `columnAlias` of their field id.
 * @param options only rows that the filter lets through, or those of some of the files
 */
export async function openTableRows(
  connection: Connection,
  source: PinnedSource,
  { filter, files }: EntityRowsOptions = {},
): Promise<EntityRelation> {
  const { schema } = source;
  const plan = await planSource(source, filter);
  const wanted = files === undefined ? plan.files : plan.files.filter(({ file }) => files.has(file.filePath));
  const { scan } = await openScan(connection, source, { ...plan, files: wanted }, filter);
  return { relation: await readableScanSql(connection, { ...scan, schema, naming: 'id' }), schema };
}

/** Which rows of a table, or of staged rows, are wanted; all unless given. */
export interface EntityRowsOptions {
  readonly filter?: BoundExpression | undefined;
  readonly files?: ReadonlySet<Location> | undefined;
}
