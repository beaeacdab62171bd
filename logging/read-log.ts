/** Reading a log back: all that was served, or only what was asked, as entity rows for retrieval. */
import { type Connection, columnAlias } from '../engine/index.js';
import { type EntitySource, openTableRows } from '../features/index.js';
import type { BoundExpression, NestedField, Schema, Snapshot } from '../iceberg/index.js';
import { selectSnapshot, type Table } from '../tables/index.js';
import { LOG_COLUMNS } from './log-columns.js';
import { type LogDeps, loadLogTable } from './log-table.js';

/** Rows of a log by the time that their answers are as of, in microseconds since the epoch: `[startUs, endUs)`. */
export interface LogWindow {
  readonly startUs?: bigint;
  readonly endUs?: bigint;
}

/** A log at one state. */
export interface OpenedLog {
  readonly table: Table;
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
  /** Stands after FROM; columns are called by `columnAlias` of their field id. */
  readonly relation: string;
}

/** Opens the rows of a window on a connection. Files of other days are not read. @param table see `loadLogTable` */
export async function openLog(connection: Connection, table: Table, window: LogWindow): Promise<OpenedLog> {
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const source = { table, schema, snapshot };
  const { relation } = await openTableRows(connection, source, { filter: windowFilter(schema, window) });
  return { ...source, relation };
}

function windowFilter(schema: Schema, { startUs, endUs }: LogWindow): BoundExpression | undefined {
  const { id, type } = logField(schema, LOG_COLUMNS.eventTimestamp);
  const ref = { fieldId: id, path: LOG_COLUMNS.eventTimestamp, type, required: true, nested: false };
  const bounds: BoundExpression[] = [];
  if (startUs !== undefined) bounds.push({ op: 'gt-eq', ref, literal: startUs });
  if (endUs !== undefined) bounds.push({ op: 'lt', ref, literal: endUs });
  return bounds.length === 0 ? undefined : { op: 'and', children: bounds };
}

/** A column that every log has. */
export function logField(schema: Schema, name: string): NestedField {
  const field = schema.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new TypeError(`the log has no column ${name}`);
  return field;
}

/** The served rows, to be read on their connection. */
export interface LoggedFeatures extends Pick<OpenedLog, 'schema' | 'snapshot'> {
  readonly connection: Connection;
  /** Columns in the order of `schema`. */
  readonly select: string;
}

/** Reads the rows of a window with all columns. */
export async function withLoggedFeatures<T>(
  deps: LogDeps,
  request: LogWindow & { readonly service: string; readonly signal?: AbortSignal },
  use: (logged: LoggedFeatures) => Promise<T>,
): Promise<T> {
  const { service, signal, ...window } = request;
  return deps.engine.withConnection(
    async (connection) => {
      const { relation, schema, snapshot } = await openLog(connection, await loadLogTable(deps, service), window);
      const columns = schema.fields.map(({ id }) => columnAlias(id)).join(', ');
      return await use({ connection, schema, snapshot, select: `SELECT ${columns} FROM ${relation}` });
    },
    signal === undefined ? {} : { signal },
  );
}

/** The requests of a window as entity rows: `event_timestamp`, the request id, join keys and request data, and no served value. */
export function loggedEntities(deps: LogDeps, service: string, window: LogWindow): EntitySource {
  const open = async (connection: Connection) => {
    const { relation, schema } = await openLog(connection, await loadLogTable(deps, service), window);
    const fields = requestFields(schema);
    const columns = fields.map(({ id }) => columnAlias(id)).join(', ');
    return { relation: `(SELECT ${columns} FROM ${relation})`, schema: { ...schema, fields } };
  };
  return { open };
}

/** Columns that came with the request: what is neither a feature with its time and status nor of the log itself. */
function requestFields({ fields }: Schema): readonly NestedField[] {
  const names = new Set(fields.map(({ name }) => name));
  const served = new Set([...names].filter((name) => names.has(`${name}__status`) && names.has(`${name}__timestamp`)));
  const isServed = (name: string): boolean =>
    served.has(name) || [...served].some((value) => name === `${value}__status` || name === `${value}__timestamp`);
  return fields.filter(({ name }) => name === LOG_COLUMNS.requestId || (!name.startsWith('__') && !isServed(name)));
}
