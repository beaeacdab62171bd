import { describeView, type OnlineTableDescription, type ViewDescription } from '../../client/index.js';
import { formatTimeUs } from '../../config/index.js';
import { countText, sizeText } from '../../errors/index.js';
import { definitionToJson } from '../../features/index.js';
import { type CommandContext, printJson, withProject } from '../context.js';
import { formatColumns, formatFacts } from '../output/output.js';
import { onlineText, scheduleText, ttlText } from '../output/view-text.js';
import { rowsText } from './table-list.js';

/** Shows a feature view: its definition and the state of the tables behind it. */
export async function viewShow(
  context: CommandContext,
  operands: readonly string[],
  { json }: { readonly json?: boolean },
): Promise<void> {
  const described = await withProject(context, (project) => describeView(project, operands[0] ?? ''));
  if (json === true) await printJson(context, asJson(described));
  else await context.stdout.write(asText(described));
}

function asJson({ view, features, sourceProblem, sourceSnapshotId, onlineTable }: ViewDescription): object {
  return {
    ...definitionToJson({ kind: 'featureView', definition: view }),
    features,
    sourceSnapshotId,
    sourceProblem,
    onlineTable: onlineTable === null ? null : onlineTableAsJson(onlineTable),
  };
}

function onlineTableAsJson({ committedAtUs, ...table }: OnlineTableDescription): object {
  return { ...table, committedAt: committedAtUs === null ? null : formatTimeUs(committedAtUs) };
}

function asText(described: ViewDescription): string {
  const { view, entities, features, sourceProblem } = described;
  const tags = [...(view.tags ?? [])].map(([name, value]) => `${name}=${value}`);
  const facts: (readonly [string, string])[] = [
    ['view', view.name],
    ...(view.description === undefined ? [] : [['description', view.description] as const]),
    ...(tags.length === 0 ? [] : [['tags', tags.join(', ')] as const]),
    ['entities', entities.map(({ name, joinKeys }) => `${name} (${joinKeys.join(', ')})`).join(', ') || '-'],
    ['source', sourceText(described)],
    ...(sourceProblem === null ? [] : [['problem', sourceProblem.replaceAll(/\n\s*/g, ' ')] as const]),
    ['ttl', ttlText(view)],
    ['schedule', scheduleText(view)],
    ...(view.pushSource === undefined ? [] : [['push source', view.pushSource] as const]),
    ['online', onlineText(view)],
    ...onlineFacts(described),
  ];
  const rows = (features ?? []).map(({ name, type }) => [name, type ?? '-']);
  return [formatFacts(facts), ...(rows.length === 0 ? [] : [formatColumns(['feature', 'type'], rows)])].join('\n');
}

function sourceText({ view: { source } }: ViewDescription): string {
  const { table, timestampField, createdTimestampField, fieldMapping } = source;
  const renamed = [...(fieldMapping ?? [])].map(([column, name]) => `${column} as ${name}`);
  return [
    table,
    `event time ${timestampField}`,
    ...(createdTimestampField === undefined ? [] : [`created time ${createdTimestampField}`]),
    ...renamed,
  ].join(', ');
}

function onlineFacts({ view, onlineTable, sourceSnapshotId }: ViewDescription): (readonly [string, string])[] {
  if (onlineTable === null) {
    return view.online ? [['online table', `none yet: run \`moraine materialize ${view.name}\``]] : [];
  }
  const { name, rows, dataFiles, deleteFiles, sizeBytes, committedAtUs, changes } = onlineTable;
  const figures = [
    `${rowsText(rows, deleteFiles)} rows`,
    ...(dataFiles === null ? [] : [`${countText(dataFiles)} files`]),
    ...(sizeBytes === null ? [] : [sizeText(sizeBytes)]),
  ];
  const isUpToDate = onlineTable.sourceSnapshotId !== null && onlineTable.sourceSnapshotId === sourceSnapshotId;
  return [
    ['online table', `${name}: ${figures.join(', ')}`],
    ['last commit', committedAtUs === null ? '-' : formatTimeUs(committedAtUs)],
    ['source read', sourceReadText(onlineTable.sourceSnapshotId, isUpToDate)],
    ...changes.map((change) => ['must be materialized', change] as const),
  ];
}

function sourceReadText(snapshotId: bigint | null, isUpToDate: boolean): string {
  if (snapshotId === null) return 'by no incremental run yet';
  return `up to snapshot ${snapshotId}, ${isUpToDate ? 'the current one' : 'not the current one'}`;
}
