import { type AppliedSchedules, applyDefinitions, type PlannedTable, type RedefinedView } from '../../client/index.js';
import { MoraineError } from '../../errors/index.js';
import { type ApplyPlan, type PlannedChange, planChangesAnything } from '../../features/index.js';
import type { Project } from '../../project/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { readDefinitionFiles } from '../definitions/definition-files.js';
import { printable } from '../output/output.js';
import { runMaterialization } from './materialize.js';

interface ApplyOptions {
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly materialize?: boolean;
  /** False with `--no-schedules`. */
  readonly schedules?: boolean;
  readonly json?: boolean;
}

const KIND_WORDS = { entity: 'entity', featureView: 'feature view', featureService: 'feature service' } as const;
const SIGNS = { create: '+', change: '~', rename: '~', delete: '-', unchanged: ' ' } as const;

const NO_SERVER =
  'warning: views declare schedules, but no Temporal server is configured or runs for this project: nothing will fire. Set temporal.address ' +
  'or TEMPORAL_ADDRESS, or start `moraine dev`, and run `moraine apply` again: it makes the schedules.';

/** Prints what will change in the registry, then changes it. */
export async function apply(
  context: CommandContext,
  operands: readonly string[],
  options: ApplyOptions,
): Promise<void> {
  await withProject(context, async (project) => {
    const definitions = await readDefinitionFiles(filesToApply(project, operands));
    const dryRun = options.dryRun === true;
    const applied = await applyDefinitions(project, definitions, {
      dryRun,
      prune: options.prune === true,
      leaveSchedules: options.schedules === false,
      onPlan: async (next, schedules, redefined, dropped, tables) => {
        if (options.json === true) return;
        const planned = dryRun ? formatPlannedTables(tables) : '';
        await context.stdout.write(
          formatPlan(next) + formatDropped(dropped) + planned + formatSchedules(schedules) + formatRedefined(redefined),
        );
      },
    });
    const { plan, snapshotId, renamedTables, droppedTables, plannedTables, redefinedViews, schedules } = applied;
    const toMaterialize = options.materialize === true ? redefinedViews.map(({ view }) => view) : [];
    if (schedules.status === 'no-server') context.note(NO_SERVER);
    if (options.json === true) {
      const materializations: unknown[] = [];
      for (const view of toMaterialize)
        materializations.push((await runMaterialization(context, project, { view })).value);
      await printJson(context, {
        applied: !dryRun && planChangesAnything(plan),
        changes: plan.changes,
        registrySnapshotId: snapshotId,
        renamedTables,
        droppedTables,
        plannedTables,
        redefinedViews,
        ...(options.materialize === true ? { materializations } : {}),
        schedules: schedules.changes,
      });
      return;
    }
    if (planChangesAnything(plan) || schedules.changes.some(({ action }) => action !== 'unchanged'))
      await context.stdout.write(dryRun ? 'Nothing was changed (--dry-run).\n' : 'Applied.\n');
    for (const { from, to } of renamedTables)
      await context.stdout.write(`The online table ${printable(from)} is ${printable(to)} now.\n`);
    for (const view of toMaterialize)
      await context.stdout.write((await runMaterialization(context, project, { view })).text);
    if (!dryRun && options.materialize !== true && redefinedViews.length > 0) context.note(remedyOf(redefinedViews));
  });
}

function filesToApply(project: Project, operands: readonly string[]): readonly string[] {
  const files = operands.length > 0 ? operands : project.config.definitions;
  if (files.length > 0) return files;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `no file of definitions: name one, or list them as definitions in ${project.config.configFile ?? 'the configuration'}`,
  );
}

/** The plan as lines: `+` new, `~` changed or renamed, `-` deleted. What stays is only counted. */
export function formatPlan(plan: ApplyPlan): string {
  const changes = plan.changes.filter((change) => change.action !== 'unchanged');
  const unchanged = plan.changes.length - changes.length;
  if (changes.length === 0) return `Nothing to change: all ${unchanged} definitions are registered as they are.\n`;
  const lines = changes.flatMap(formatChange);
  const rest = unchanged === 0 ? [] : [`  ${unchanged} unchanged`];
  return `${[...lines, ...rest].join('\n')}\n`;
}

/** Changes of schedules as lines like those of the plan; those that stay are left out. */
export function formatSchedules({ changes }: AppliedSchedules): string {
  const changed = changes.filter(({ action }) => action !== 'unchanged');
  return asLines(
    changed.flatMap(({ action, id, fields }) => [
      `${SIGNS[action]} schedule ${printable(id)}`,
      ...(action === 'change' ? formatFields(fields) : []),
    ]),
  );
}

const asLines = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** The online tables that are dropped. */
export function formatDropped(tables: readonly string[]): string {
  return asLines(tables.map((table) => `- online table ${printable(table)}, with its files`));
}

/** The online tables that the first run or write after the apply makes, or gives other columns. */
export function formatPlannedTables(tables: readonly PlannedTable[]): string {
  return asLines(
    tables.flatMap(({ table, action, columns }) => [
      `${action === 'create' ? '+' : '~'} online table ${printable(table)}, by the first run or write`,
      ...columns.map((column) => `    ${printable(column)}`),
    ]),
  );
}

/** The views that have to be materialized, with what was changed in each since its last run. */
export function formatRedefined(views: readonly RedefinedView[]): string {
  return asLines(
    views.flatMap(({ view, changes }) => [
      `! feature view ${printable(view)} must be materialized`,
      ...changes.map((change) => `    ${printable(change)}`),
    ]),
  );
}

function remedyOf(views: readonly RedefinedView[]): string {
  const commands = views.map(({ view }) => `\`moraine materialize ${printable(view)}\``).join(', ');
  return `warning: until the redefined views are materialized, online reads of what was changed in them are refused. Run ${commands}, or \`moraine apply --materialize\`.`;
}

function formatChange(change: PlannedChange): readonly string[] {
  const { action, kind, name, renamedFrom, fields } = change;
  const from = renamedFrom === undefined ? '' : ` (renamed from ${printable(renamedFrom)})`;
  const head = `${SIGNS[action]} ${KIND_WORDS[kind]} ${printable(name)}${from}`;
  if (action === 'create' || action === 'delete') return [head];
  return [head, ...formatFields(fields)];
}

function formatFields(fields: PlannedChange['fields']): readonly string[] {
  return fields.map(({ path, before, after }) => `    ${printable(`${path}: ${before ?? '-'} -> ${after ?? '-'}`)}`);
}
