/** Entity rows as applications and commands give them. */
import { readFile } from 'node:fs/promises';
import type { Table as ArrowTable } from 'apache-arrow';
import {
  type Connection,
  inputError,
  quoteIdentifier,
  readInput,
  registerArrow,
  typedRelation,
} from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import {
  type EntityRelation,
  type EntityRow,
  EVENT_TIMESTAMP,
  type FeatureWindow,
  type HistoricalAsOf,
  type HistoricalRequest,
  type KeyTypes,
} from '../features/index.js';
import { loggedEntities } from '../logging/index.js';
import type { Project } from '../project/index.js';
import { logDeps, logWindow } from './logged-features.js';

/** Names in SQL -> tables, `[CATALOG/]NS.TABLE`. */
export type SqlTables = Readonly<Record<string, string>> | ReadonlyMap<string, string>;

/**
 * Entity rows: objects; an Arrow table, or the bytes of an Arrow IPC stream or file; a Parquet, CSV, JSON Lines, JSON or Arrow file in
 * a folder that the project may read; an Iceberg table; the logged requests for a feature service; SQL over Iceberg tables, which runs where nothing else can be read; or no rows
 * but a window, closed at both ends: every feature row in it.
 */
export type Entities =
  | readonly EntityRow[]
  | ArrowTable
  | Uint8Array
  | { readonly file: string }
  | { readonly table: string; readonly asOf?: HistoricalAsOf }
  | { readonly logged: string; readonly start?: Date; readonly end?: Date }
  | { readonly sql: string; readonly tables?: SqlTables; readonly asOf?: HistoricalAsOf }
  | { readonly window: { readonly start?: Date; readonly end?: Date } | FeatureWindow };

/** Entity rows as retrieval takes them. */
export async function entitySource(project: Project, entities: Entities): Promise<HistoricalRequest['entities']> {
  if (entities instanceof Uint8Array)
    return { open: async (connection) => openArrow(connection, await readIpc(entities)) };
  if (isArrowTable(entities)) return { open: (connection) => openArrow(connection, entities) };
  if ('file' in entities) return { open: (connection, keyTypes) => openFile(connection, entities.file, keyTypes) };
  if ('logged' in entities) return loggedEntities(await logDeps(project), entities.logged, logWindow(entities));
  if ('sql' in entities) {
    const { sql, tables, asOf } = entities;
    const query = { sql, ...(tables === undefined ? {} : { tables: asMap(tables) }) };
    return { query, ...(asOf === undefined ? {} : { asOf }) };
  }
  if ('window' in entities) return { window: windowOf(entities.window) };
  return 'table' in entities ? entities : { rows: entities };
}

function windowOf(window: { readonly start?: Date; readonly end?: Date } | FeatureWindow): FeatureWindow {
  if ('startUs' in window || 'endUs' in window) return window;
  const { start, end } = window as { readonly start?: Date; readonly end?: Date };
  return {
    ...(start === undefined ? {} : { startUs: BigInt(start.getTime()) * 1000n }),
    ...(end === undefined ? {} : { endUs: BigInt(end.getTime()) * 1000n }),
  };
}

/** Names and their tables as a map, so that no name is special. */
export function asMap(tables: SqlTables): ReadonlyMap<string, string> {
  return tables instanceof Map ? (tables as ReadonlyMap<string, string>) : new Map(Object.entries(tables));
}

/** Arrow tables are recognized by their shape: the application may have loaded the library a second time. */
function isArrowTable(entities: Exclude<Entities, Uint8Array>): entities is ArrowTable {
  return 'batches' in entities && 'schema' in entities && 'numRows' in entities;
}

/** Join keys are read as the type that they have: the airport `007` of a CSV file is a text where the view's key is one. */
async function openFile(connection: Connection, file: string, keyTypes: KeyTypes): Promise<EntityRelation> {
  if (/\.(arrow|arrows|feather|ipc)$/i.test(file))
    return openArrow(connection, await readIpc(await readBytes(file), file));
  const { schema, sql } = await readInput(connection, file, { types: keyTypes, eventTime: EVENT_TIMESTAMP });
  return { schema, relation: `(${sql})`, explain: (error) => inputError(file, error) };
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    const message = `The input file ${file} does not exist or cannot be opened.`;
    throw new MoraineError('INPUT_UNREADABLE', message, { details: { path: file }, cause });
  }
}

async function readIpc(bytes: Uint8Array, file?: string): Promise<ArrowTable> {
  const { tableFromIPC } = await import('apache-arrow');
  try {
    const table = tableFromIPC(bytes);
    // Bytes that are no IPC stream at all are read as an empty one.
    if (table.schema.fields.length > 0) return table;
  } catch (cause) {
    throw notArrow(file, cause);
  }
  throw notArrow(file);
}

function notArrow(file: string | undefined, cause?: unknown): MoraineError {
  const what = file ?? 'The entity rows';
  return new MoraineError('INPUT_UNREADABLE', `${what} cannot be read: it is not an Arrow IPC file or stream.`, {
    cause,
  });
}

async function openArrow(connection: Connection, table: ArrowTable): Promise<EntityRelation> {
  const name = 'entity arrow';
  const types = await registerArrow(connection, name, table);
  return await typedRelation(connection, `FROM ${quoteIdentifier(name)}`, 'the entity rows', types);
}
