/** The list of views and services. */
import { tablesOfViews, type ViewTableState, viewTableStates } from '../../client/index.js';
import { countText } from '../../errors/index.js';
import type { Definitions, FeatureView } from '../../features/index.js';
import { readiness, type ViewReadiness } from '../readiness.js';
import type { PageDeps } from './deps.js';
import { type Html, html } from './html.js';
import type { Page } from './page.js';
import { linkTo, noteOf, rowsText, stateOf, tableOf, timeOf, viewPath } from './parts.js';

export async function viewsPage(deps: PageDeps): Promise<Page> {
  const definitions = await deps.definitions();
  const online = tablesOfViews(deps.project, definitions).filter(({ use }) => use === 'online');
  const [{ views: states }, tables] = await Promise.all([readiness(deps), viewTableStates(deps.project, online)]);
  const body = html`<p class="lead">Features that this service answers with.</p>
${viewsTable(definitions, states, tables)}
${servicesTable(definitions)}`;
  return { title: 'Views', place: '/ui/', body };
}

function viewsTable(
  { featureViews }: Definitions,
  states: readonly ViewReadiness[],
  tables: readonly ViewTableState[],
): Html {
  if (featureViews.size === 0)
    return noteOf('soft', 'There are no feature views yet. Write definitions and run `moraine apply`.');
  const nowMs = Date.now();
  const rows = [...featureViews.values()].sort(byName).map((view) => {
    const state = states.find(({ name }) => name === view.name);
    const { summary = null } = tables.find(({ views }) => views[0] === view.name) ?? {};
    return [
      html`${linkTo(viewPath(view.name), view.name)}${described(view)}`,
      view.entities.join(', ') || '–',
      view.features === undefined ? 'all' : countText(view.features.length),
      stateOfView(view, state),
      timeOf(summary?.committedAtUs ?? null, nowMs),
      summary === null ? '–' : rowsText(summary.rows, summary.deleteFiles),
    ];
  });
  const columns = [
    'View',
    'Entities',
    { name: 'Features', kind: 'number' },
    'State',
    { name: 'Last commit', kind: 'when' },
    { name: 'Rows', kind: 'number' },
  ] as const;
  return tableOf('Feature views', columns, rows);
}

function servicesTable({ featureServices }: Definitions): Html | null {
  if (featureServices.size === 0) return null;
  const rows = [...featureServices.values()]
    .sort(byName)
    .map((service) => [
      html`${service.name}${described(service)}`,
      service.features.map(({ view, features }, index) => [
        index > 0 && ', ',
        linkTo(viewPath(view), view),
        features !== undefined && ` (${features.join(', ')})`,
      ]),
      linkTo(`/ui/entity?service=${encodeURIComponent(service.name)}`, 'Look up'),
    ]);
  return html`<h2>Services</h2>${tableOf('Feature services', ['Service', { name: 'Features', kind: 'wide' }, 'Entity'], rows)}`;
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

const described = ({ description }: { readonly description?: string }): Html | undefined =>
  description === undefined ? undefined : html`<br><span class="soft">${description}</span>`;

/** Whether reads of a view are answered. */
export function stateOfView(view: FeatureView, state: ViewReadiness | undefined): Html {
  if (!view.online) return stateOf('soft', 'not online');
  switch (state?.status) {
    case 'open':
      return state.snapshot === undefined ? stateOf('warn', 'no rows yet') : stateOf('good', 'served');
    case 'refused':
      return stateOf('warn', state.code === 'TABLE_NOT_FOUND' ? 'not materialized' : 'refused');
    default:
      return stateOf('bad', 'unavailable');
  }
}
