/** What a push to a push source writes: the tables and views behind it, and the columns that each takes of its rows. */
import { didYouMean, MoraineError } from '../errors/index.js';
import {
  type Definitions,
  type FeatureView,
  type ResolvedView,
  resolveView,
  viewsOfPushSource,
} from '../features/index.js';
import { currentSchema, type IcebergType } from '../iceberg/index.js';
import {
  type BatchColumns,
  madeOnlineTable,
  ONLINE_COLUMNS,
  type OnlineWriteDeps,
  onlineWriteTarget,
} from '../online/index.js';
import { requireUnmoved, requireWritable, type Table } from '../tables/index.js';

/** The tables that a push writes: online tables, source tables, or both. */
export type PushTo = 'online' | 'offline' | 'online_and_offline';

/** A table that rows are pushed to. */
export interface PushTarget {
  /** For messages: `feature view 'x'`, `table ns.x`. */
  readonly label: string;
  /** Columns of the rows that it must get. */
  readonly needed: ReadonlySet<string>;
  /** The column of the rows by the target's own. A column that is not here gets null. */
  readonly columnOf: ReadonlyMap<string, string>;
  readonly columns: BatchColumns;
}

/** A source table, which may be that of several views. */
export interface SourceTarget extends PushTarget {
  readonly table: Table;
  /** Its name as the first of the views has it. */
  readonly name: string;
  /** Columns of created times: a row without one gets the time of the push. */
  readonly created: ReadonlySet<string>;
  /** For each view the columns that order its rows: those of rows that are equal in all of them, the latest commit's wins. */
  readonly identities: readonly (readonly string[])[];
  /** Names what decides how rows are written. Only pushes of one shape may be one commit. */
  readonly shape: string;
}

export interface ViewTarget extends PushTarget {
  readonly view: string;
  /** Its online table; null: it is not made yet. */
  readonly made: Table | null;
}

export interface PushPlan {
  readonly source: string;
  /** Types of the columns that rows may have: those of the source tables, by name. */
  readonly types: ReadonlyMap<string, IcebergType>;
  /** Written first. */
  readonly tables: readonly SourceTarget[];
  readonly views: readonly ViewTarget[];
}

/** A view that names the push source, and its source table. */
interface Bound {
  readonly view: FeatureView;
  readonly resolved: ResolvedView;
  readonly table: Table;
}

/**
 * Looks at everything that a push writes, before there are rows.
 * @throws PUSH_SOURCE_NOT_FOUND; INVALID_ARGUMENT if none of its views is online and the push is to online tables; TABLE_NOT_FOUND, DEFINITION_INVALID, MATERIALIZATION_REQUIRED,
 * TABLE_MOVED, UNSUPPORTED_FEATURE (a table that cannot be written)
 */
export async function planPush(deps: OnlineWriteDeps, source: string, to: PushTo): Promise<PushPlan> {
  const definitions = await deps.definitions();
  const bound = await bindViews(deps, definitions, viewsOfPushSource(definitions, source));
  const types = new Map<string, IcebergType>();
  for (const { table } of bound)
    for (const { name, type } of currentSchema(table.metadata).fields) if (!types.has(name)) types.set(name, type);
  const online = bound.filter(({ view }) => view.online);
  if (online.length === 0 && to !== 'offline') {
    const names = bound.map(({ view }) => view.name).join(', ');
    const message = `Push source '${source}' has no online feature view (it has ${names}): set online: true of a view, or push to 'offline'.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const tables = to === 'online' ? [] : byTable(bound).map(sourceTarget);
  const views = to === 'offline' ? [] : await Promise.all(online.map((each) => viewTarget(deps, definitions, each)));
  return { source, types, tables, views };
}

async function bindViews(
  deps: OnlineWriteDeps,
  definitions: Definitions,
  views: readonly FeatureView[],
): Promise<readonly Bound[]> {
  const loading = new Map<string, Promise<Table>>();
  const load = (name: string): Promise<Table> => {
    const table = loading.get(name) ?? deps.loadSource(name);
    loading.set(name, table);
    return table;
  };
  return await Promise.all(
    views.map(async (view): Promise<Bound> => {
      const table = await load(view.source.table);
      return { view, table, resolved: resolveView(definitions, view.name, currentSchema(table.metadata)) };
    }),
  );
}

/** Views by their table, which may have several names. */
function byTable(bound: readonly Bound[]): readonly (readonly Bound[])[] {
  const groups = new Map<string, Bound[]>();
  for (const each of bound) {
    const { tableUuid } = each.table.metadata;
    groups.set(tableUuid, [...(groups.get(tableUuid) ?? []), each]);
  }
  return [...groups.values()];
}

/** Columns of the source table that every row of a view must have. */
function neededColumns({ joinKeys, timestamp, features }: ResolvedView): readonly string[] {
  return [...joinKeys, timestamp, ...features].map(({ sourceColumn }) => sourceColumn);
}

/** @param views over one table */
function sourceTarget(views: readonly Bound[]): SourceTarget {
  const [first] = views;
  if (first === undefined) throw new TypeError('A table of no view');
  const { table, view } = first;
  requireWritable(table);
  requireUnmoved(table);
  const resolved = views.map((each) => each.resolved);
  const created = new Set(resolved.flatMap((each) => each.created?.sourceColumn ?? []));
  const whole = new Set(resolved.flatMap((each) => [...each.joinKeys, each.timestamp].map((key) => key.sourceColumn)));
  const identities = resolved.map(({ joinKeys, timestamp, created: time }) =>
    [...joinKeys, timestamp, ...(time === null ? [] : [time])].map(({ sourceColumn }) => sourceColumn),
  );
  const schema = currentSchema(table.metadata);
  const fields = schema.fields.map((field) => ({
    ...field,
    // A created time that is not pushed is that of the push.
    ...(created.has(field.name) && { writeDefault: undefined }),
    required: whole.has(field.name) || (field.required && !created.has(field.name)),
  }));
  return {
    label: `table ${view.source.table}`,
    name: view.source.table,
    table,
    created,
    identities,
    shape: JSON.stringify([schema.schemaId, fields.map(({ required }) => required), identities, [...created]]),
    needed: new Set([
      ...resolved.flatMap(neededColumns),
      ...fields.flatMap((f) => (f.required && f.writeDefault == null ? [f.name] : [])),
    ]),
    columnOf: new Map(fields.map(({ name }) => [name, name])),
    columns: { schema: { ...schema, fields }, features: [], aliases: new Map() },
  };
}

async function viewTarget(
  deps: OnlineWriteDeps,
  definitions: Definitions,
  { view, resolved }: Bound,
): Promise<ViewTarget> {
  const made = await madeOnlineTable(deps, view);
  const { columns } = await onlineWriteTarget(deps, made, view, definitions);
  const { joinKeys, features, timestamp, created } = resolved;
  const columnOf = new Map([...joinKeys, ...features].map(({ name, sourceColumn }) => [name, sourceColumn]));
  columnOf.set(ONLINE_COLUMNS.eventTimestamp, timestamp.sourceColumn);
  if (created !== null) columnOf.set(ONLINE_COLUMNS.createdTimestamp, created.sourceColumn);
  const needed = new Set(neededColumns(resolved));
  return { label: `feature view '${view.name}'`, view: view.name, made, needed, columnOf, columns };
}

/**
 * Checks the names of the columns of pushed rows.
 * @param having begins the sentence: `The rows have`, `The body's df has`
 * @returns what is wrong, as a sentence, and the columns that are
 */
export function columnProblem(
  { types, source }: PushPlan,
  targets: readonly PushTarget[],
  names: readonly string[],
  having: string,
): { readonly message: string; readonly columns: readonly string[] } | undefined {
  const [extra] = names.filter((name) => !types.has(name));
  if (extra !== undefined) {
    const hint = didYouMean(extra, types.keys());
    const message = `${having} a column '${extra}', which no source table of push source '${source}' has. ${hint}`;
    return { message, columns: [extra] };
  }
  for (const { label, needed } of targets) {
    const columns = [...needed].filter((name) => !names.includes(name));
    if (columns.length === 0) continue;
    const list = columns.map((name) => `'${name}'`).join(', ');
    const message = `${having} no column ${list}, which ${label} of push source '${source}' needs: give null where there is no value.`;
    return { message, columns };
  }
  return undefined;
}
