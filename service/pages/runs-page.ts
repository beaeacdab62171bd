/** Runs on the Temporal server, with links to its web UI. */
import { type ListedRun, listRunsOnRunningServer, tablesOfViews } from '../../client/index.js';
import { durationText, isMoraineError } from '../../errors/index.js';
import type { PageDeps } from './deps.js';
import { type Html, type HtmlValue, html } from './html.js';
import type { Page } from './page.js';
import { linkTo, type Mood, noteOf, stateOf, tableOf, tablePath, timeOf, viewPath } from './parts.js';

const LIMIT = 50;
/** People do not wait longer for a page. */
const TIMEOUT_MS = 3_000;
const SERVED = 'Features are served all the same.';

/** Names that have pages. */
interface PagesOfNames {
  readonly views: ReadonlySet<string>;
  readonly tables: ReadonlySet<string>;
}

/** @param view only its runs; null: all */
export async function runsPage(deps: PageDeps, view: string | null): Promise<Page> {
  const chosen =
    view !== null && html`<p>Of the view ${linkTo(viewPath(view), view)}. ${linkTo('/ui/runs', 'All runs')}</p>`;
  const body = html`<p class="lead">Materializations, backfills, compactions and maintenance, the newest first.</p>${chosen}
${await runsOf(deps, view)}`;
  return { title: 'Runs', place: '/ui/runs', body };
}

async function runsOf({ project, definitions }: PageDeps, view: string | null): Promise<Html> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const runs = await listRunsOnRunningServer(project, { limit: LIMIT, signal, ...(view === null ? {} : { view }) });
    if (runs === null) return noteOf('soft', NO_SERVER);
    const known = await definitions();
    const tables = new Set(tablesOfViews(project, known).map(({ name }) => name));
    return listOfRuns(runs, { views: new Set(known.featureViews.keys()), tables });
  } catch (error) {
    if (isMoraineError(error, 'CANCELLED')) return noteOf('warn', 'Temporal did not answer in time.', SERVED);
    if (isMoraineError(error, 'TEMPORAL_UNAVAILABLE', 'TEMPORAL_REFUSED')) return noteOf('warn', error.message, SERVED);
    throw error;
  }
}

const NO_SERVER = html`No Temporal server is configured, and <code>moraine dev</code> does not run, so that nothing is known of runs. ${SERVED}`;

/** Views that were deleted and tables of no view have no pages, and are named only. */
export function listOfRuns(runs: readonly ListedRun[], known: PagesOfNames): Html {
  if (runs.length === 0) return html`<p>There are none.</p>`;
  const nowMs = Date.now();
  const rows = runs.map(({ workflow, workflowId, status, startedAt, elapsedMs, step, url, ...of }) => [
    workflow,
    html`${url === null ? workflowId : linkTo(url, workflowId)}${step !== null && status !== 'COMPLETED' && html`<br><span class="soft">${step}</span>`}`,
    stateOf(MOODS[status] ?? 'bad', status.toLowerCase().replaceAll('_', ' ')),
    subjectOf(of, known),
    timeOf(BigInt(Date.parse(startedAt)) * 1000n, nowMs),
    durationText(elapsedMs),
  ]);
  const columns = [
    'Workflow',
    { name: 'Run', kind: 'wide' },
    'Status',
    'Of',
    { name: 'Started', kind: 'when' },
    { name: 'Took', kind: 'number' },
  ] as const;
  const isLinked = runs[0]?.url !== null;
  return html`${tableOf('Runs', columns, rows)}
${!isLinked && noteOf('soft', html`Set <code>temporal.uiAddress</code> in moraine.yaml, and each run links to its page in Temporal's web UI.`)}`;
}

function subjectOf({ view, table }: Pick<ListedRun, 'view' | 'table'>, { views, tables }: PagesOfNames): HtmlValue {
  if (view !== null) return views.has(view) ? linkTo(viewPath(view), view) : view;
  return table !== null && tables.has(table) ? linkTo(tablePath(table), table) : table;
}

const MOODS: Readonly<Record<string, Mood>> = {
  RUNNING: 'good',
  COMPLETED: 'soft',
  CONTINUED_AS_NEW: 'soft',
  CANCELLED: 'warn',
};
