/** Rows that an application writes into an online table itself. */
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table as ArrowTable } from 'apache-arrow';
import { type Connection, readInput } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import {
  type EntityRelation,
  type EntitySource,
  EVENT_TIMESTAMP,
  type HistoricalAsOf,
  openEntitySource,
} from '../features/index.js';
import type { IcebergType, NestedField } from '../iceberg/index.js';
import { type BatchColumns, type OnlineWriteDeps, type OnlineWriteResult, writeOnlineBatch } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { entitySource, type SqlTables } from './entities.js';
import { exactRows, noRows } from './input-columns.js';
import { jsonOfRow, type OnlineRow } from './online-row-json.js';

/**
 * Rows for an online table: objects; an Arrow table, or the bytes of an Arrow IPC stream or file; a Parquet, CSV, JSON Lines or Arrow file in a folder that the project
 * may read; an Iceberg table; SQL over Iceberg tables.
 */
export type OnlineRows =
  | readonly OnlineRow[]
  | ArrowTable
  | Uint8Array
  | { readonly file: string }
  | { readonly table: string; readonly asOf?: HistoricalAsOf }
  | { readonly sql: string; readonly tables?: SqlTables; readonly asOf?: HistoricalAsOf };

/** A batch of rows for one view. */
export interface OnlineWriteRequest {
  readonly view: string;
  /**
   * Columns by name: the join keys, every feature, `event_timestamp` (or the name of the view's own column), and if they are known times of creation, `created_timestamp`.
   * Times without a zone are UTC.
   */
  readonly rows: OnlineRows;
  /** False for rows that the source table has, too; true by default. Rebuilds from the source keep pushed rows. */
  readonly pushed?: boolean;
  /** A batch that is written again under its key within 24 hours is committed once. */
  readonly key?: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes a batch in one commit. Every value must fit its column exactly.
 * @throws `FEATURE_VIEW_NOT_FOUND`, `COLUMN_NOT_FOUND`, `TYPE_MISMATCH`, `INPUT_UNREADABLE`, `MATERIALIZATION_REQUIRED` (the view was redefined since it was materialized),
 * `COMMIT_CONFLICT`, `COMMIT_STATE_UNKNOWN`
 */
export async function onlineWriteBatch(project: Project, request: OnlineWriteRequest): Promise<OnlineWriteResult> {
  const deps = await materializationDeps(project);
  const { view, rows, pushed, key, signal } = request;
  const releases: (() => Promise<void>)[] = [];
  const open = async (connection: Connection, columns: BatchColumns): Promise<string> => {
    const opened = await openRows({ project, deps, connection, signal, releases }, rows, typesOf(columns));
    return await exactBatch(connection, opened, columns, view).catch((error: unknown) => {
      throw opened.explain?.(error) ?? error;
    });
  };
  try {
    return await writeOnlineBatch(deps, { view, open, pushed, key, signal });
  } finally {
    for (const release of releases) await release();
  }
}

/** Rows that are opened on a connection. A column of which nothing is known but nulls has the type `unknown`. */
export type OpenedRows = Omit<EntityRelation, 'untyped'>;

/**
 * Opens rows of a user.
 * @param types of the columns, by every name that they may have
 */
export async function openRows(
  {
    project,
    deps,
    connection,
    signal,
    releases,
  }: {
    readonly project: Project;
    readonly deps: OnlineWriteDeps;
    readonly connection: Connection;
    readonly signal: AbortSignal | undefined;
    /** Gets what is to be called when the rows are not needed any more. */
    readonly releases: (() => Promise<void>)[];
  },
  rows: OnlineRows,
  types: ReadonlyMap<string, IcebergType>,
): Promise<OpenedRows> {
  const source = await rowSource(project, connection, rows, releases);
  const opened = await openEntitySource({ deps, connection, keyTypes: types, signal }, source);
  releases.push(() => opened.release());
  const { schema, untyped = [] } = opened;
  const fields = schema.fields.map((field): NestedField => {
    return untyped.includes(field.name) ? { ...field, type: { kind: 'unknown' } } : field;
  });
  return { ...opened, schema: { ...schema, fields } };
}

/** Objects become a JSON file, whose values are read as the types of their columns, exactly. */
async function rowSource(
  project: Project,
  connection: Connection,
  rows: OnlineRows,
  releases: (() => Promise<void>)[],
): Promise<EntitySource> {
  if (!isRows(rows)) return (await entitySource(project, rows)) as EntitySource;
  const path = join(connection.tempDirectory, `rows-${randomUUID()}.jsonl`);
  releases.push(() => rm(path, { force: true }));
  await writeFile(path, rows.map((row) => `${jsonOfRow(row)}\n`).join(''));
  return {
    open: async (opened, types) => {
      const { schema, sql } = await readInput(opened, path, { types, eventTime: EVENT_TIMESTAMP });
      return { schema, relation: `(${sql})` };
    },
  };
}

const isRows = (rows: OnlineRows): rows is readonly OnlineRow[] => Array.isArray(rows);

/** Types by every name that a column may have. */
function typesOf({ schema, aliases }: BatchColumns): ReadonlyMap<string, IcebergType> {
  const types = new Map(schema.fields.map(({ name, type }) => [name, type]));
  const named = [...aliases].map(([alias, name]) => [alias, types.get(name)] as const);
  return new Map([...types, ...named.flatMap(([alias, type]) => (type === undefined ? [] : [[alias, type] as const]))]);
}

/** The rows in the columns of the batch. */
async function exactBatch(
  connection: Connection,
  { schema, relation }: OpenedRows,
  { schema: target, features, aliases }: BatchColumns,
  view: string,
): Promise<string> {
  if (schema.fields.length === 0) return noRows(target);
  const fields = schema.fields.map((field): NestedField => ({ ...field, name: aliases.get(field.name) ?? field.name }));
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    const message = `The rows have two columns for ${twice}: ${schema.fields.flatMap(({ name }, index) => (names[index] === twice ? [name] : [])).join(' and ')}.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const missing = features.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    const message = `The rows lack ${missing.length === 1 ? 'the feature' : 'features'} ${missing.join(', ')} of feature view '${view}': give null where there is no value.`;
    throw new MoraineError('COLUMN_NOT_FOUND', message, { details: { columns: missing } });
  }
  const rows = { schema: { ...schema, fields }, sql: `SELECT * FROM ${relation}` };
  return await exactRows(connection, rows, target, { input: 'the rows', target: `feature view '${view}'` });
}
