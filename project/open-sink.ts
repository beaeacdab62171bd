/** Opening a sink on a table of a project, as every command, library call and workflow that runs one does it. */
import type { Catalog, TableIdentifier } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import type { ResolvedView } from '../features/index.js';
import { materializeDirect, resolveSource } from '../materialization/index.js';
import {
  IcebergSink,
  type RecordMapping,
  type SinkAttempt,
  type SinkCommit,
  type UpsertOptions,
} from '../sink/index.js';
import { materializationDeps } from './dependencies.js';
import type { Project } from './project.js';

/** What becomes of the records of a sink besides rows. */
export interface SinkSettings {
  /**
   * `[CATALOG/]NS.TABLE` of the same catalog. It gets the records that are no rows, whatever `badRecords` is by default, and is created if it does not exist.
   * `replayDeadLetters` makes rows of them once they fit.
   */
  readonly deadLetters?: string | undefined;
  /**
   * Online feature views of the table: their online tables get each batch before the next one is committed. With `upsert` the key must be the view's join keys and the
   * order its timestamp field.
   */
  readonly materialize?: readonly string[] | undefined;
  /** Keep one row of each key. */
  readonly upsert?: UpsertOptions | undefined;
  /** Add columns for fields that no column takes, widen types of numbers, and make required columns optional, where records ask for it. */
  readonly evolveSchema?: boolean | undefined;
  /** Go on if a dead-letter table that an earlier run has files for is gone: they are lost then. */
  readonly abandonLost?: boolean | undefined;
}

/** How a sink of a project is opened. */
export interface ProjectSinkOptions extends SinkSettings, Pick<RecordMapping, 'badRecords' | 'error'> {
  readonly name: string;
  readonly batchSize: number;
  readonly batchIntervalMs?: number | undefined;
  /** Which of several attempts at the same work opens it. */
  readonly attempt?: SinkAttempt | undefined;
  readonly onCommit?: ((commit: SinkCommit) => void) | undefined;
}

/**
 * Opens a sink on a table that exists, and claims it.
 * @throws TABLE_NOT_FOUND, FEATURE_VIEW_NOT_FOUND, INVALID_ARGUMENT; as `IcebergSink.open`
 */
export async function openProjectSink(
  project: Project,
  tableName: string,
  { deadLetters, badRecords, error, ...options }: ProjectSinkOptions,
): Promise<IcebergSink> {
  requireOnePolicy({ deadLetters, badRecords, error });
  const { catalog, identifier } = await project.resolveTable(tableName);
  const deadLetterTable = await deadLettersOf(project, catalog, deadLetters);
  await requireViewsOf(project, tableName, options);
  const given = Object.entries({ ...options, deadLetters: deadLetterTable }).filter(([, value]) => value !== undefined);
  const materialize = (view: string): Promise<void> => materializeIfDefined(project, view);
  const deps = { catalog, io: project.io, engine: await project.engine(), materialize };
  return await IcebergSink.open(deps, {
    ...(Object.fromEntries(given) as Pick<ProjectSinkOptions, 'name' | 'batchSize'>),
    table: identifier,
  });
}

/** How records are read where those that are no rows go to a dead-letter table. */
export function mappingOf<M extends RecordMapping>(mapping: M, { deadLetters }: SinkSettings): M {
  return deadLetters === undefined ? mapping : { ...mapping, badRecords: 'drop' };
}

/** @throws INVALID_ARGUMENT for more than one thing that is to become of records that are no rows */
function requireOnePolicy({
  deadLetters,
  badRecords,
  error,
}: Pick<ProjectSinkOptions, 'deadLetters' | 'badRecords' | 'error'>): void {
  if ([deadLetters, badRecords, error].filter((policy) => policy !== undefined).length <= 1) return;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    'Records that are no rows either go to a dead-letter table, are written with their errors, or are judged by badRecords: give one of them.',
  );
}

async function deadLettersOf(
  project: Project,
  catalog: Catalog,
  deadLetters: string | undefined,
): Promise<TableIdentifier | undefined> {
  if (deadLetters === undefined) return undefined;
  const resolved = await project.resolveTable(deadLetters);
  if (resolved.catalog === catalog) return resolved.identifier;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `The dead-letter table ${deadLetters} must be in the catalog of the sink's table.`,
  );
}

/** @throws FEATURE_VIEW_NOT_FOUND; INVALID_ARGUMENT for a view that is not online, reads another table, or has another key or order than the upserts */
export async function requireViewsOf(
  project: Project,
  tableName: string,
  { materialize = [], upsert }: Pick<SinkSettings, 'materialize' | 'upsert'>,
): Promise<void> {
  if (materialize.length === 0) return;
  const deps = await materializationDeps(project);
  const { metadata } = await project.loadTable(tableName);
  for (const name of materialize) {
    const { view, source } = await resolveSource(deps, name);
    if (source.metadata.tableUuid !== metadata.tableUuid)
      throw new MoraineError(
        'INVALID_ARGUMENT',
        `Feature view '${name}' reads ${view.sourceTable}, and the sink writes ${tableName}: only views of that table can be materialized with its batches.`,
      );
    if (upsert !== undefined) requireKeptRows(view, upsert);
  }
}

/** A row that an upsert takes away must be below the one that it brings, for the view as well. */
function requireKeptRows({ name, joinKeys, timestamp, created }: ResolvedView, { key, order }: UpsertOptions): void {
  const keys = new Set(joinKeys.map(({ sourceColumn }) => sourceColumn));
  const isSameKey = keys.size === new Set(key).size && key.every((column) => keys.has(column));
  if (isSameKey && order === timestamp.sourceColumn && created === null) return;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `Feature view '${name}' can be materialized with the batches of an upsert only if the key is ${[...keys].join(',')}, the order is ${timestamp.sourceColumn} and the view has no created timestamp field. Materialize it by runs of its own.`,
  );
}

/** An incremental run. A view that is gone, or not online any more, has no table that lacks anything. */
async function materializeIfDefined(project: Project, view: string): Promise<void> {
  const deps = await materializationDeps(project);
  const { featureViews } = await deps.definitions();
  if (featureViews.get(view)?.online === true) await materializeDirect(deps, { view });
}
