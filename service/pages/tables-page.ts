/** The tables of the views, and the health of one. */
import { tablesOfViews, type ViewTable, type ViewTableState, viewTableStates } from '../../client/index.js';
import { countText, didYouMean, durationText, MoraineError, sizeText } from '../../errors/index.js';
import type { TableHealth } from '../../maintenance/index.js';
import { readHealth } from '../read-health.js';
import type { PageDeps } from './deps.js';
import { type Html, html } from './html.js';
import type { Page } from './page.js';
import { factsOf, linkTo, noteOf, rowsText, tableOf, tablePath, timeOf, viewPath } from './parts.js';

export async function tablesPage(deps: PageDeps): Promise<Page> {
  const { project } = deps;
  const states = await viewTableStates(project, tablesOfViews(project, await deps.definitions()));
  const [sources, online] = (['source', 'online'] as const).map((use) => states.filter((table) => table.use === use));
  const body = html`<p class="lead">Tables that the views read, and the online tables that they are materialized into.</p>
${listOf('Source tables', sources ?? [])}
${listOf('Online tables', online ?? [])}`;
  return { title: 'Tables', place: '/ui/tables', body };
}

function listOf(caption: string, tables: readonly ViewTableState[]): Html {
  if (tables.length === 0) return html`<p class="soft">${caption}: none.</p>`;
  const nowMs = Date.now();
  const rows = tables.map(({ name, views, summary, problem }) => [
    linkTo(tablePath(name), name),
    views.map((view, index) => [index > 0 && ', ', linkTo(viewPath(view), view)]),
    ...(summary === null
      ? ['–', '–', '–', problem ?? 'not materialized yet']
      : [
          rowsText(summary.rows, summary.deleteFiles),
          summary.dataFiles === null ? '–' : countText(summary.dataFiles),
          summary.sizeBytes === null ? '–' : sizeText(summary.sizeBytes),
          timeOf(summary.committedAtUs, nowMs),
        ]),
  ]);
  const columns = [
    'Table',
    'Views',
    { name: 'Rows', kind: 'number' },
    { name: 'Data files', kind: 'number' },
    { name: 'Size', kind: 'number' },
    'Last commit',
  ] as const;
  return tableOf(caption, columns, rows);
}

/** Only tables of views are shown: a key that may read features need not see the others. @throws TABLE_NOT_FOUND */
export async function tablePage(deps: PageDeps, name: string): Promise<Page> {
  const uses = await usesOf(deps, name);
  const health = await readHealth(deps.offline, name);
  const links = (views: readonly string[]) =>
    views.map((view, index) => [index > 0 && ', ', linkTo(viewPath(view), view)]);
  const body = html`${factsOf(uses.map(({ use, views }) => [use === 'source' ? 'Source of' : 'Online table of', links(views)] as const))}
<h2>Health</h2>
${adviceOn(health)}
${figuresOf(health)}`;
  return { title: name, place: '/ui/tables', body };
}

/** What the table is to views. One that is not known is looked for again. @throws TABLE_NOT_FOUND */
async function usesOf({ project, definitions }: PageDeps, name: string): Promise<readonly ViewTable[]> {
  const find = (tables: readonly ViewTable[]) => tables.filter((table) => table.name === name);
  const known = find(tablesOfViews(project, await definitions()));
  if (known.length > 0) return known;
  const tables = tablesOfViews(project, await definitions(0));
  const uses = find(tables);
  if (uses.length > 0) return uses;
  const names = tables.map((table) => table.name);
  throw new MoraineError('TABLE_NOT_FOUND', `No feature view has a table '${name}'. ${didYouMean(name, names)}`);
}

function figuresOf(health: TableHealth): Html {
  const age = (ms: bigint | null): string => (ms === null ? '–' : `${durationText(Number(ms))} ago`);
  const rows = [
    ['Last change', age(health.freshnessMs), 'The commit of the current snapshot.'],
    ['Rows', countText(health.rows), 'In data files; deleted rows count until they are compacted away.'],
    ['Data files', countText(health.dataFiles), ''],
    ['Data size', sizeText(health.dataBytes), ''],
    ['Partitions', countText(health.partitions), ''],
    ['Amplification', health.amplification.toFixed(2), 'Data files for each file of a well packed table; 1 is best.'],
    [
      'Small files',
      countText(health.smallFiles),
      'Below three quarters of the target size, in partitions with others.',
    ],
    ['Delete files', countText(health.deleteFiles), ''],
    ['Delete ratio', health.deleteRatio.toFixed(4), 'Deleted rows for each row of the data files, at most.'],
    ['Manifests', countText(health.manifests), 'Every plan of a read opens those that it cannot prune.'],
    ['Snapshots', countText(health.snapshots), ''],
    ['Oldest snapshot', age(health.oldestSnapshotAgeMs), 'Maintenance expires snapshots.'],
  ];
  const columns = ['Figure', { name: 'Value', kind: 'number' }, { name: 'Meaning', kind: 'wide' }] as const;
  return tableOf('Figures of the current snapshot', columns, rows);
}

/** Where `moraine compact` and `moraine maintain` begin to pay by their usual thresholds. */
const MANY = { amplification: 4, deleteRatio: 0.3, snapshots: 1_000 };

function adviceOn({ amplification, deleteRatio, snapshots }: TableHealth): Html | null {
  const advice = [
    ...(amplification >= MANY.amplification
      ? ['Reads open many more files than they need: compact the table with `moraine compact`.']
      : []),
    ...(deleteRatio >= MANY.deleteRatio
      ? ['Many rows are deleted and still read: compact the table with `moraine compact`.']
      : []),
    ...(snapshots >= MANY.snapshots ? ['There are many snapshots: expire old ones with `moraine maintain`.'] : []),
  ];
  return advice.length === 0 ? null : noteOf('warn', ...advice);
}
