import { countText } from '../../errors/index.js';
import { definitionToJson, type Entity, type FeatureService, type FeatureView } from '../../features/index.js';
import type { Project } from '../../project/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { formatColumns } from '../output/output.js';
import { featureCountText, onlineText, scheduleText, ttlText } from '../output/view-text.js';

interface JsonOption {
  readonly json?: boolean;
}

/** Lists the registered feature views. */
export async function viewList(context: CommandContext, _operands: readonly string[], { json }: JsonOption) {
  const { featureViews } = await registered(context);
  const views = byName(featureViews);
  if (json === true) return printAll(context, views, (definition) => ({ kind: 'featureView', definition }));
  if (views.length === 0) return none(context, 'feature views');
  const headings = ['view', 'entities', 'source', { number: 'features' }, 'online', 'ttl', 'schedule', 'description'];
  return context.stdout.write(formatColumns(headings, views.map(viewRow)));
}

function viewRow(view: FeatureView): readonly string[] {
  return [
    view.name,
    view.entities.join(', ') || '-',
    view.source.table,
    featureCountText(view),
    onlineText(view),
    ttlText(view),
    scheduleText(view),
    view.description ?? '',
  ];
}

/** Lists the registered feature services. */
export async function serviceList(context: CommandContext, _operands: readonly string[], { json }: JsonOption) {
  const { featureServices } = await registered(context);
  const services = byName(featureServices);
  if (json === true) return printAll(context, services, (definition) => ({ kind: 'featureService', definition }));
  if (services.length === 0) return none(context, 'feature services');
  const rows = services.map((service) => [service.name, featuresText(service), service.description ?? '']);
  return context.stdout.write(formatColumns(['service', 'features', 'description'], rows));
}

/** References as a request names them: `view` for all features of a view, else `view:a,b`. */
function featuresText({ features }: FeatureService): string {
  return features
    .map(({ view, features: chosen, alias }) => {
      const name = alias === undefined ? view : `${view} as ${alias}`;
      return chosen === undefined ? name : `${name}:${chosen.join(',')}`;
    })
    .join(' ');
}

/** Lists the registered entities. */
export async function entityList(context: CommandContext, _operands: readonly string[], { json }: JsonOption) {
  const { entities, featureViews } = await registered(context);
  const found = byName(entities);
  if (json === true) return printAll(context, found, (definition) => ({ kind: 'entity', definition }));
  if (found.length === 0) return none(context, 'entities');
  const uses = ({ name }: Entity): number =>
    [...featureViews.values()].filter((view) => view.entities.includes(name)).length;
  const rows = found.map((entity) => [
    entity.name,
    entity.joinKeys.join(', '),
    countText(uses(entity)),
    entity.description ?? '',
  ]);
  return context.stdout.write(formatColumns(['entity', 'join keys', { number: 'views' }, 'description'], rows));
}

function registered(context: CommandContext) {
  return withProject(context, async (project: Project) => (await (await project.registry()).read()).definitions);
}

function byName<T extends { readonly name: string }>(definitions: ReadonlyMap<string, T>): readonly T[] {
  return [...definitions.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function printAll<T>(
  context: CommandContext,
  definitions: readonly T[],
  tagged: (definition: T) => Parameters<typeof definitionToJson>[0],
): Promise<void> {
  for (const definition of definitions) await printJson(context, definitionToJson(tagged(definition)));
}

function none(context: CommandContext, what: string): Promise<void> {
  return context.stdout.write(`There are no ${what}. \`moraine apply\` registers definitions.\n`);
}
