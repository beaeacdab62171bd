/** Writing rows into an online table beside materialization: a batch of rows is one commit. */
import { createHash, randomUUID } from 'node:crypto';
import type { Catalog } from '../catalogs/index.js';
import { type Connection, type Engine } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type Definitions, type FeatureView, findFeatureView, resolveView } from '../features/index.js';
import { currentSchema, type DataFile, type NestedField, type Schema, type TableMetadata } from '../iceberg/index.js';
import { sizeOfFiles, stageRows } from '../staging/index.js';
import type { FileIO } from '../storage/index.js';
import { commitAppend, findRun, loadTable, requireWritable, type Table } from '../tables/index.js';
import { ensureOnlineTable } from './ensure-online-table.js';
import { type EntityKeyPart, entityKeySql } from './entity-key.js';
import { ONLINE_COLUMNS } from './online-columns.js';
import { DEFAULT_ONLINE_SETTINGS, type OnlineSettings, onlineLayout } from './online-layout.js';
import { onlineRowSql } from './online-row.js';
import { onlineColumns } from './stored-columns.js';
import { definitionChangeTexts, type LoadSource } from './stored-definition.js';
import { joinKeysOf } from './view-columns.js';
import { redefinedError } from './view-refusal.js';

export interface OnlineWriteDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  readonly settings?: OnlineSettings;
  definitions(): Promise<Definitions>;
  readonly loadSource: LoadSource;
}

/** The columns that a batch has: join keys, features, `event_timestamp` and `created_timestamp`. */
export interface BatchColumns {
  /** Join keys and `event_timestamp` are required. */
  readonly schema: Schema;
  readonly features: readonly string[];
  /** Other names that the two times may have in a batch, with those of the schema. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** A batch of rows for the online table of a view. */
export interface OnlineBatch {
  readonly view: string;
  /** Opens the rows: a statement that gives exactly the columns of the schema, in their order and types. */
  readonly open: (connection: Connection, columns: BatchColumns) => Promise<string>;
  /**
   * Whether the rows are the client's own, which rebuilds from the source keep; true by default. False for rows that the source table has,
   * too: when they are deleted there, they go here.
   */
  readonly pushed?: boolean | undefined;
  /** A batch under a key is committed once while the snapshot of its commit is known. */
  readonly key?: string | undefined;
  /** Microseconds since the epoch; the time of this machine by default. */
  readonly nowUs?: bigint | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Result of a write. */
export interface OnlineWriteResult {
  readonly view: string;
  /** Null: there were no rows, and nothing was committed. */
  readonly snapshotId: bigint | null;
  /** `already-committed`: an earlier write under the same key has the rows; this one wrote none. */
  readonly outcome: 'committed' | 'already-committed' | 'nothing';
  readonly rows: bigint;
  readonly files: number;
  readonly bytes: bigint;
}

/**
 * Writes a batch in one commit. The newest row of an entity wins by event time, then by `created_timestamp`, then by the order of commits, whatever is
 * written first. A row without `created_timestamp` gets the time of the write if the view has such a column. The table is made if the view was never materialized.
 * @throws FEATURE_VIEW_NOT_FOUND; INVALID_ARGUMENT for a view that is not online; MATERIALIZATION_REQUIRED if the stored values are those of another definition;
 * TABLE_NOT_FOUND for the source of a view whose table has to be made; COMMIT_CONFLICT; COMMIT_STATE_UNKNOWN (a repetition under the same `key` finds out)
 */
export async function writeOnlineBatch(deps: OnlineWriteDeps, batch: OnlineBatch): Promise<OnlineWriteResult> {
  const definitions = await deps.definitions();
  const view = findFeatureView(definitions, batch.view);
  if (!view.online) {
    const message = `Feature view '${view.name}' is not online: set online: true and apply it.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const made = await madeTable(deps, view);
  const key = runKey(batch.key);
  const before = made === null ? null : findRun(made.metadata, { key });
  if (before !== null) return { ...nothingOf(view), snapshotId: before, outcome: 'already-committed' };
  const written = await deps.engine.withConnection(
    (connection) => stageBatch(connection, deps, { view, definitions, batch, made }),
    { signal: batch.signal },
  );
  if (written === null) return nothingOf(view);
  const { table, files } = written;
  const { snapshotId, outcome } = await commitAppend(table, {
    files,
    run: { key },
    summary: new Map([['moraine.kind', 'online-write']]),
    // Rows fit the table whatever others have written: only the swap has to be tried again.
    isCostly: true,
    validate: (base) => requireSameSchema(table.metadata, base, view.name),
  });
  if (outcome === 'already-committed') return { ...nothingOf(view), snapshotId, outcome };
  return { view: view.name, snapshotId, outcome, ...sizeOfFiles(files) };
}

function nothingOf({ name }: FeatureView): OnlineWriteResult {
  return { view: name, snapshotId: null, outcome: 'nothing', rows: 0n, files: 0, bytes: 0n };
}

/** The view's table; null if nobody has made it. */
async function madeTable(deps: OnlineWriteDeps, view: FeatureView): Promise<Table | null> {
  try {
    return await loadOnlineTable(deps, view);
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) return null;
    throw error;
  }
}

async function loadOnlineTable(deps: OnlineWriteDeps, { name }: FeatureView): Promise<Table> {
  const { catalog, io, settings = DEFAULT_ONLINE_SETTINGS } = deps;
  return await loadTable(catalog, io, { namespace: settings.namespace, name });
}

/** Keys are free text; what snapshots record has a length of its own. */
function runKey(key: string | undefined): string {
  return key === undefined ? randomUUID() : createHash('sha256').update(`online-write/${key}`).digest('hex');
}

interface Write {
  readonly view: FeatureView;
  readonly definitions: Definitions;
  readonly batch: OnlineBatch;
  /** Null: the table is not made yet. */
  readonly made: Table | null;
}

interface StagedBatch {
  readonly table: Table;
  readonly files: readonly DataFile[];
}

/** Files with the rows of a batch; null if there are none. */
async function stageBatch(connection: Connection, deps: OnlineWriteDeps, write: Write): Promise<StagedBatch | null> {
  const opened = await openBatch(connection, deps, write);
  if (opened === null) return null;
  const { table, rows } = opened;
  const { view, definitions, batch } = write;
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const { keys, lookup } = onlineColumns(schema, joinKeysOf(view, definitions), view.name);
  const files = await stageRows(connection, table, {
    select: onlineSelect(schema, keys, { ...rows, view, batch }),
    namePrefix: randomUUID(),
    sortBy: [lookup.id],
    sortOrderId: metadata.defaultSortOrderId,
  });
  return files.length === 0 ? null : { table, files };
}

/** The table and the rows for it. It is made only for rows that fit it; null: there are none. */
async function openBatch(
  connection: Connection,
  deps: OnlineWriteDeps,
  write: Write,
): Promise<{ readonly table: Table; readonly rows: OpenedRows } | null> {
  const { view, definitions, made } = write;
  if (made !== null) {
    await requireFit(deps, made, write);
    return { table: made, rows: await openRows(connection, currentSchema(made.metadata), write) };
  }
  const { catalog, loadSource, settings = DEFAULT_ONLINE_SETTINGS } = deps;
  const source = await loadSource(view.source.table);
  const resolved = resolveView(definitions, view.name, currentSchema(source.metadata));
  const rows = await openRows(connection, onlineLayout(resolved, settings).schema, write);
  if ((await connection.rows(`SELECT 1 FROM (${rows.sql}) LIMIT 1`)).length === 0) return null;
  await ensureOnlineTable(catalog, resolved, source, settings);
  const table = await loadOnlineTable(deps, view);
  await requireFit(deps, table, write);
  return { table, rows };
}

/** Rows of a batch: a statement and its columns. */
interface OpenedRows {
  readonly columns: BatchColumns;
  readonly sql: string;
}

/** @param schema of the online table */
async function openRows(
  connection: Connection,
  schema: Schema,
  { view, definitions, batch }: Write,
): Promise<OpenedRows> {
  const columns = batchColumns(schema, view, joinKeysOf(view, definitions));
  return { columns, sql: await batch.open(connection, columns) };
}

/** @throws MATERIALIZATION_REQUIRED unless the table has rows of no other definition than the present one; and as {@link requireWritable} */
async function requireFit(
  { loadSource }: OnlineWriteDeps,
  table: Table,
  { view, definitions }: Pick<Write, 'view' | 'definitions'>,
): Promise<void> {
  requireWritable(table);
  const changes = await definitionChangeTexts(table.metadata, view, definitions, loadSource);
  if (changes.length > 0) throw redefinedError(view.name, changes);
}

interface BatchRows extends OpenedRows {
  readonly view: FeatureView;
  readonly batch: OnlineBatch;
}

/** The rows of a batch as rows of the online table. */
function onlineSelect(
  schema: Schema,
  keys: readonly EntityKeyPart[],
  { columns, sql, view, batch }: BatchRows,
): string {
  const { pushed = true, nowUs = BigInt(Date.now()) * 1000n } = batch;
  const names = columns.schema.fields.map(({ name }) => name);
  const values = new Map(names.map((name, index) => [name, `b${index}`]));
  const of = (name: string): string => values.get(name) ?? 'NULL';
  const key = entityKeySql(
    keys,
    keys.map(({ name }) => of(name)),
  );
  const created = of(ONLINE_COLUMNS.createdTimestamp);
  const hasCreated = view.source.createdTimestampField !== undefined;
  values
    .set(ONLINE_COLUMNS.createdTimestamp, hasCreated ? `coalesce(${created}, make_timestamptz(${nowUs}))` : created)
    .set(ONLINE_COLUMNS.pushed, String(pushed))
    .set(ONLINE_COLUMNS.entityKey, key);
  const aliases = names.map((_, index) => `b${index}`).join(', ');
  return `SELECT ${onlineRowSql(schema, values)} FROM (${sql}) AS batch(${aliases})`;
}

function batchColumns(schema: Schema, view: FeatureView, joinKeys: readonly string[]): BatchColumns {
  const { entityKey, pushed, eventTimestamp, createdTimestamp } = ONLINE_COLUMNS;
  const required = new Set<string>([...joinKeys, eventTimestamp]);
  const fields = schema.fields.flatMap((field): readonly NestedField[] => {
    if (field.name === entityKey || field.name === pushed) return [];
    return [{ ...field, required: required.has(field.name) }];
  });
  const features = fields.flatMap(({ name }) => (required.has(name) || name === createdTimestamp ? [] : [name]));
  const { timestampField, createdTimestampField } = view.source;
  const aliases = new Map<string, string>([[timestampField, eventTimestamp]]);
  for (const name of ['created', createdTimestampField]) if (name !== undefined) aliases.set(name, createdTimestamp);
  for (const { name } of fields) aliases.delete(name);
  return { schema: { ...schema, fields }, features, aliases };
}

function requireSameSchema(planned: TableMetadata, base: TableMetadata, view: string): void {
  if (base.tableUuid === planned.tableUuid && base.currentSchemaId === planned.currentSchemaId) return;
  throw new MoraineError(
    'COMMIT_CONFLICT',
    `The online table of '${view}' got other columns during the write. Write again.`,
  );
}
