/** How a retrieval is done, for people. */
import { countText, sizeText } from '../../errors/index.js';
import type { ColumnBound, Explanation, ViewExplanation } from '../../features/index.js';

/** Lines of text for an explanation. */
export function explanationText({ entityRows, columns, views }: Explanation): string {
  const head = `${countText(entityRows)} entity rows; ${columns.length} columns: ${columns.map(({ name }) => name).join(', ')}`;
  return `${[head, ...[...views].flatMap(([alias, view]) => viewLines(alias, view))].join('\n')}\n`;
}

function viewLines(alias: string, view: ViewExplanation): readonly string[] {
  const { source, deletes, estimate, tiesDecidedByValue } = view;
  const called = alias === view.view ? alias : `${alias} (${view.view})`;
  const snapshot = source.snapshotId === null ? 'no snapshot' : `snapshot ${source.snapshotId}`;
  const deleteFiles = deletes.positionFiles + deletes.vectors + deletes.equalityFiles;
  const read = `${countText(view.files)} files, ${sizeText(view.bytes)}, ${countText(view.rows)} rows`;
  const skipped = `${view.filesSkipped} files skipped, ${view.manifestsRead} of ${view.manifests} manifests read`;
  return [
    `${called}: ${view.table}, ${snapshot}`,
    `  read: ${view.readPath}, ${read}; ${skipped}`,
    ...(deleteFiles === 0
      ? []
      : [`  deletes: ${countText(deleteFiles)} files and vectors, ${sizeText(deletes.bytes)}`]),
    ...view.bounds.map((bound) => `  bound: ${boundText(bound)}`),
    `  join: ${view.method}${estimate === null ? '' : `, about ${countText(Math.round(estimate.matches))} pairs in reach of ${countText(Math.round(estimate.candidates))}`}`,
    ...((view.engine?.reason ?? null) === null
      ? []
      : [`  engine: ${view.engine?.engine}, since ${view.engine?.reason}`]),
    ...(tiesDecidedByValue === null ? [] : [`  ties decided by value: ${tiesDecidedByValue}`]),
  ];
}

function boundText({ column, from, to, values }: ColumnBound): string {
  if (values !== undefined) return `${column} is one of ${values} values`;
  return `${column}${from === undefined ? '' : ` from ${from}`}${to === undefined ? '' : ` to ${to}`}`;
}
