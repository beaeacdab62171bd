import {
  type ApplyPlan,
  type ApplyResult,
  type Definitions,
  type FeatureService,
  type FeatureView,
  validateSources,
} from '../features/index.js';
import { currentSchema, type Schema } from '../iceberg/index.js';
import { onlineProblems } from '../online/index.js';
import type { Project } from '../project/index.js';
import { changedTables } from './changed-tables.js';
import { type AppliedSchedules, DeclaredSchedules } from './declared-schedules.js';
import { type PlannedTable, plannedTables } from './planned-tables.js';
import { dropOnlineTables, incompatibleTables, onlineTablesToDrop } from './prune-online-tables.js';
import { type RedefinedView, redefinedViews } from './redefined-views.js';
import { checkOnlineNames, followRenames, type RenamedTable } from './rename-online-tables.js';

export interface ApplyDefinitionsOptions {
  /** Make the plan, change nothing. */
  readonly dryRun?: boolean;
  /**
   * Remove what is registered but not among the definitions; and, with their files, the online tables of such views and those that cannot
   * hold rows of their views any more (other join keys).
   */
  readonly prune?: boolean;
  /** Told the plan before it is applied; throwing stops it. Called again if another apply came first. */
  readonly onPlan?: (
    plan: ApplyPlan,
    schedules: AppliedSchedules,
    redefinedViews: readonly RedefinedView[],
    droppedTables: readonly string[],
    plannedTables: readonly PlannedTable[],
  ) => Promise<void>;
  /** Leave the schedules on the Temporal server as they are. */
  readonly leaveSchedules?: boolean;
}

/** Result of an apply. */
export interface AppliedDefinitions extends ApplyResult {
  /** Online tables that were given the names of their renamed views. */
  readonly renamedTables: readonly RenamedTable[];
  /** Online tables of deleted views, and of views with other join keys, which are dropped with their files; with `dryRun` those that would be. */
  readonly droppedTables: readonly string[];
  /** Online tables of the views that are changed, which their first run or write makes, or gives other columns. Nothing is started for them. */
  readonly plannedTables: readonly PlannedTable[];
  /**
   * Views whose stored values are those of an earlier definition: until they are materialized, online reads of what was changed are
   * refused with `MATERIALIZATION_REQUIRED`. Nothing is started for them.
   */
  readonly redefinedViews: readonly RedefinedView[];
  /** The schedules that views declare; with `dryRun` what would become of them. */
  readonly schedules: AppliedSchedules;
}

/**
 * Registers definitions in one commit, after holding those that change to the tables they read and to what online tables can store.
 * The online tables of renamed views follow after it: the registry decides which names there are, so nothing that it still says is
 * broken if the commit fails, and an apply that was cut short in between is finished by the next one. So are the schedules that views
 * declare, where there is a Temporal server.
 *
 * @throws `DEFINITION_INVALID` listing every problem at once; `ONLINE_TABLE_INCOMPATIBLE` for other join keys of a view that has an online table, without `prune`; `TABLE_ALREADY_EXISTS` if the new name of a view belongs to another
 * online table; `SCHEDULE_ALREADY_EXISTS`; `TEMPORAL_UNAVAILABLE` if schedules are declared and the server does not answer;
 * `COMMIT_STATE_UNKNOWN`
 */
export async function applyDefinitions(
  project: Project,
  definitions: Definitions,
  options: ApplyDefinitionsOptions = {},
): Promise<AppliedDefinitions> {
  const declared = new DeclaredSchedules(project);
  try {
    return await applyWith(declared, project, definitions, options);
  } finally {
    await declared.close();
  }
}

async function applyWith(
  declared: DeclaredSchedules,
  project: Project,
  definitions: Definitions,
  options: ApplyDefinitionsOptions,
): Promise<AppliedDefinitions> {
  const { dryRun = false, leaveSchedules = false } = options;
  const registry = await project.registry();
  let schedules: AppliedSchedules = { status: 'left-alone', changes: [] };
  let redefined: readonly RedefinedView[] = [];
  let droppedTables: readonly string[] = [];
  let planned: readonly PlannedTable[] = [];
  const applied = await registry.apply(definitions, {
    dryRun,
    ...(options.prune === undefined ? {} : { prune: options.prune }),
    check: async (plan) => {
      const loadSchema = async (name: string): Promise<Schema> =>
        currentSchema((await project.loadTable(name)).metadata);
      await validateSources(affected(plan), loadSchema, onlineProblems);
      await checkOnlineNames(project, plan);
      if (!leaveSchedules) schedules = await declared.plan(plan);
      redefined = await redefinedViews(project, plan);
      const tables = await changedTables(project, plan, changedViews(plan));
      droppedTables = [
        ...(await onlineTablesToDrop(project, plan)),
        ...incompatibleTables(tables, options.prune === true),
      ];
      planned = plannedTables(tables, droppedTables);
      await options.onPlan?.(plan, schedules, redefined, droppedTables, planned);
      if (!dryRun) await declared.deleteUndeclared(plan);
    },
  });
  const told = { droppedTables, plannedTables: planned, redefinedViews: redefined, schedules };
  if (dryRun) return { ...applied, renamedTables: [], ...told };
  const renamedTables = await followRenames(project, applied.plan);
  await dropOnlineTables(project, droppedTables);
  await declared.finish(applied.plan);
  return { ...applied, renamedTables, ...told };
}

/** The definitions that a plan may have broken: those that it changes, and those next to them. Others are not checked. */
function affected(plan: ApplyPlan): Definitions {
  const { result } = plan;
  const services = changedNames(plan, 'featureService');
  const views = new Set(changedViews(plan).map(({ name }) => name));
  const isAffectedService = (service: FeatureService): boolean =>
    services.has(service.name) || service.features.some(({ view }) => views.has(view));
  const featureServices = filterMap(result.featureServices, isAffectedService);
  const used = new Set([...featureServices.values()].flatMap((service) => service.features.map(({ view }) => view)));
  return {
    entities: result.entities,
    featureViews: filterMap(result.featureViews, (view) => views.has(view.name) || used.has(view.name)),
    featureServices,
  };
}

/** Views that a plan changes, themselves or one of their entities. */
function changedViews(plan: ApplyPlan): readonly FeatureView[] {
  const [entities, views] = [changedNames(plan, 'entity'), changedNames(plan, 'featureView')];
  return [...plan.result.featureViews.values()].filter(
    (view) => views.has(view.name) || view.entities.some((entity) => entities.has(entity)),
  );
}

function changedNames({ changes }: ApplyPlan, kind: string): ReadonlySet<string> {
  return new Set(changes.filter((c) => c.kind === kind && c.action !== 'unchanged').map(({ name }) => name));
}

function filterMap<T>(map: ReadonlyMap<string, T>, keep: (value: T) => boolean): ReadonlyMap<string, T> {
  return new Map([...map].filter(([, value]) => keep(value)));
}
