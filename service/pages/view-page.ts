/** One view: its definition, how fresh it is, and its rows. */
import { describeView, type OnlineTableDescription, type ViewDescription } from '../../client/index.js';
import { countedText, countText, sizeText } from '../../errors/index.js';
import { type Definitions, definitionToJson, type FeatureView, formatDurationMs } from '../../features/index.js';
import { openView } from '../readiness.js';
import type { PageDeps } from './deps.js';
import { type Html, html } from './html.js';
import type { Page } from './page.js';
import { factsOf, linkTo, noteOf, rowsText, tableOf, tablePath, timeOf } from './parts.js';
import { stateOfView } from './views-page.js';

/** @throws FEATURE_VIEW_NOT_FOUND */
export async function viewPage(deps: PageDeps, name: string): Promise<Page> {
  const described = await describeView(deps.project, name);
  const [definitions, state] = await Promise.all([
    deps.definitions(),
    described.view.online ? openView(deps, name) : undefined,
  ]);
  const { view, sourceProblem } = described;
  const body = html`${view.description !== undefined && html`<p class="lead">${view.description}</p>`}
${state?.error !== undefined && noteOf(state.status === 'refused' ? 'warn' : 'bad', state.error)}
${sourceProblem !== null && noteOf('warn', sourceProblem)}
<h2>Freshness</h2>
${factsOf([['State', stateOfView(view, state)], ...freshnessOf(described)])}
${view.online && html`<p>${linkTo(`/ui/entity?view=${encodeURIComponent(name)}`, 'Look up an entity')} · ${linkTo(`/ui/runs?view=${encodeURIComponent(name)}`, 'Runs of this view')}</p>`}
<h2>Definition</h2>
${definitionOf(described, definitions)}
${featuresOf(described)}
<details><summary>The definition as it is registered</summary><pre>${JSON.stringify(definitionToJson({ kind: 'featureView', definition: view }), jsonOfMaps, 2)}</pre></details>`;
  return { title: name, place: '/ui/', body };
}

function freshnessOf({ view, onlineTable, sourceSnapshotId }: ViewDescription): Parameters<typeof factsOf>[0] {
  if (onlineTable === null)
    return view.online ? [['Online table', html`none yet: run <code>moraine materialize ${view.name}</code>`]] : [];
  const { name, committedAtUs, snapshotId, changes } = onlineTable;
  return [
    ['Last commit', timeOf(committedAtUs, Date.now())],
    ['Source', sourceReadText(onlineTable.sourceSnapshotId, sourceSnapshotId)],
    ['Rows', sizeOf(onlineTable)],
    ['Online table', linkTo(tablePath(name), name)],
    ['Snapshot', snapshotId === null ? null : String(snapshotId)],
    ...changes.map((change) => ['Must be materialized', change] as const),
  ];
}

function sourceReadText(read: bigint | null, current: bigint | null): string {
  if (read === null) return 'read by no incremental run yet';
  return read === current ? 'read up to its current snapshot' : 'has commits that are not materialized yet';
}

function sizeOf({ rows, dataFiles, deleteFiles, sizeBytes }: OnlineTableDescription): string {
  return [
    rowsText(rows, deleteFiles),
    ...(dataFiles === null ? [] : [countedText(dataFiles, 'file')]),
    ...(sizeBytes === null ? [] : [sizeText(sizeBytes)]),
  ].join(', ');
}

function definitionOf({ view, entities }: ViewDescription, definitions: Definitions): Html {
  const { source } = view;
  const tags = [...(view.tags ?? [])].map(([key, value]) => `${key}=${value}`);
  const renamed = [...(source.fieldMapping ?? [])].map(([column, to]) => `${column} as ${to}`);
  return factsOf([
    ['Entities', entities.map(({ name, joinKeys }) => `${name} (${joinKeys.join(', ')})`).join(', ') || 'none'],
    ['Source table', linkTo(tablePath(source.table), source.table)],
    ['Event time', source.timestampField],
    ['Created time', source.createdTimestampField],
    ['Renamed columns', renamed.length > 0 && renamed.join(', ')],
    ['Valid for (ttl)', view.ttlMs === null ? 'ever' : formatDurationMs(view.ttlMs)],
    ['Schedule', view.schedule === undefined ? 'none' : `every ${formatDurationMs(view.schedule.everyMs)}`],
    ['Services', servicesWith(view, definitions).join(', ') || 'none'],
    ['Tags', tags.length > 0 && tags.join(', ')],
  ]);
}

const servicesWith = ({ name }: FeatureView, { featureServices }: Definitions): readonly string[] =>
  [...featureServices.values()]
    .filter(({ features }) => features.some(({ view }) => view === name))
    .map((service) => service.name);

function featuresOf({ features }: ViewDescription): Html {
  if (features === null) return html`<p>Its features are the columns of the source table, which cannot be read.</p>`;
  const rows = features.map(({ name, type }) => [name, html`<code>${type ?? '–'}</code>`]);
  return tableOf(`Features: ${countText(features.length)}`, ['Feature', { name: 'Type', kind: 'wide' }], rows);
}

/** Maps as objects; only for reading. */
const jsonOfMaps = (_: string, value: unknown): unknown =>
  value instanceof Map ? Object.fromEntries(value as ReadonlyMap<string, unknown>) : value;
