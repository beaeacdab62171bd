/** The online table that rows are written to, and the columns that they need. */
import type { Catalog } from '../catalogs/index.js';
import type { Engine } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type Definitions, type FeatureView, findFeatureView, resolveView } from '../features/index.js';
import { currentSchema } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { loadTable, requireWritable, type Table } from '../tables/index.js';
import { type BatchColumns, batchColumns } from './batch-rows.js';
import { ensureOnlineTable } from './ensure-online-table.js';
import { DEFAULT_ONLINE_SETTINGS, type OnlineSettings, onlineLayout } from './online-layout.js';
import { followRename, type RenameDeps } from './rename-online-table.js';
import { columnsMadeAnew } from './stored-columns.js';
import { definitionChangeTexts, type LoadSource } from './stored-definition.js';
import { redefinedError } from './view-refusal.js';

export interface OnlineWriteDeps extends RenameDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  readonly settings?: OnlineSettings;
  definitions(): Promise<Definitions>;
  readonly loadSource: LoadSource;
}

/** The table of a view, if it can take rows of its present definition. */
export interface OnlineWriteTarget {
  /** Columns of a batch. */
  readonly columns: BatchColumns;
  /** The table; it is made if nobody has made it yet. */
  table(): Promise<Table>;
}

/** @throws INVALID_ARGUMENT for a view without online: true */
export function requireOnline({ name, online }: FeatureView): void {
  if (online) return;
  throw new MoraineError('INVALID_ARGUMENT', `Feature view '${name}' is not online: set online: true and apply it.`);
}

/** The view's table, which gets its name if the view was renamed; null if nobody has made it. */
export async function madeOnlineTable(deps: OnlineWriteDeps, view: FeatureView): Promise<Table | null> {
  const found = await findOnlineTable(deps, view);
  return found === null && (await followRename(deps, view.name)) ? await findOnlineTable(deps, view) : found;
}

async function findOnlineTable(deps: OnlineWriteDeps, view: FeatureView): Promise<Table | null> {
  try {
    return await loadOnlineTable(deps, view);
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) return null;
    throw error;
  }
}

/**
 * Checks that rows may be written to a view, without rows.
 * @param made as {@link madeOnlineTable} gives it
 * @throws MATERIALIZATION_REQUIRED if the table has rows of another definition; TABLE_NOT_FOUND, DEFINITION_INVALID for the source of a view whose
 * table has to be made; as `requireWritable`
 */
export async function onlineWriteTarget(
  deps: OnlineWriteDeps,
  made: Table | null,
  view: FeatureView,
  definitions: Definitions,
): Promise<OnlineWriteTarget> {
  if (made !== null) {
    await requireFit(deps, made, view, definitions);
    const columns = batchColumns(currentSchema(made.metadata), view, definitions);
    return { columns, table: () => Promise.resolve(made) };
  }
  const { loadSource, settings = DEFAULT_ONLINE_SETTINGS } = deps;
  const source = await loadSource(view.source.table);
  const resolved = resolveView(definitions, view.name, currentSchema(source.metadata));
  const columns = batchColumns(onlineLayout(resolved, settings).schema, view, definitions);
  const table = async (): Promise<Table> => {
    // A view that was renamed or deleted meanwhile gets no table under its old name.
    findFeatureView(await deps.definitions(), view.name);
    await ensureOnlineTable(deps, resolved, source);
    const created = await loadOnlineTable(deps, view);
    await requireFit(deps, created, view, definitions);
    return created;
  };
  return { columns, table };
}

async function loadOnlineTable(deps: OnlineWriteDeps, { name }: FeatureView): Promise<Table> {
  const { catalog, io, settings = DEFAULT_ONLINE_SETTINGS } = deps;
  return await loadTable(catalog, io, { namespace: settings.namespace, name });
}

/** @throws MATERIALIZATION_REQUIRED unless the table has rows of no other definition than the present one; and as {@link requireWritable} */
async function requireFit(
  { loadSource }: OnlineWriteDeps,
  table: Table,
  view: FeatureView,
  definitions: Definitions,
): Promise<void> {
  requireWritable(table);
  const changes = await definitionChangeTexts(table.metadata, view, definitions, loadSource);
  // The first row of such a column would make it the one that reads are answered from.
  const retyped = columnsMadeAnew(table.metadata).map((name) => `column '${name}' has another type`);
  const texts = [...changes, ...retyped];
  if (texts.length > 0) throw redefinedError(view.name, texts);
}
