/** Why a view cannot have an online table. Pure: the same list at `apply` and before rows are planned. */
import { unwritableColumns } from '../engine/index.js';
import { featureTypeToString, type Problem, type ResolvedColumn, type ResolvedView } from '../features/index.js';
import { versionThreeColumns } from '../iceberg/index.js';
import { MAX_BUCKETS, ONLINE_COLUMNS } from './online-columns.js';

/** Everything that keeps the rows of a view from being stored online, each with what to do about it; none for `online: false`. */
export function onlineProblems(view: ResolvedView): readonly Problem[] {
  if (!view.online) return [];
  return [
    ...columnsByPath(view).flatMap(([path, column]) => columnProblems(view, path, column)),
    ...bucketProblems(view),
  ];
}

function columnsByPath(view: ResolvedView): readonly (readonly [path: string, column: ResolvedColumn])[] {
  return [
    ...view.joinKeys.map((key) => ['entities', key] as const),
    ['source.timestampField', view.timestamp],
    ...(view.created === null ? [] : [['source.createdTimestampField', view.created] as const]),
    ...view.features.map((feature) => [`features.${feature.name}`, feature] as const),
  ];
}

function columnProblems(view: ResolvedView, path: string, column: ResolvedColumn): readonly Problem[] {
  const isStoredByName = view.joinKeys.includes(column) || view.features.includes(column);
  const messages = [...(isStoredByName ? reservedName(column) : []), ...unstorableType(view, column)];
  return messages.map((message) => ({ path: `featureViews.${view.name}.${path}`, message }));
}

function reservedName({ name }: ResolvedColumn): readonly string[] {
  if (!Object.values<string>(ONLINE_COLUMNS).includes(name.toLowerCase())) return [];
  return [`'${name}' is a column that every online table has; give the column another name with fieldMapping.`];
}

function unstorableType(view: ResolvedView, { sourceColumn, type }: ResolvedColumn): readonly string[] {
  const named = `Column '${sourceColumn}' of ${view.sourceTable} is of type ${featureTypeToString(type)}`;
  const schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [{ id: 1, name: sourceColumn, required: false, type }],
  };
  if (versionThreeColumns(schema).length > 0) {
    return [
      `${named}, which online tables (format version 2) do not have: convert it in the source table, or set online: false.`,
    ];
  }
  return unwritableColumns(schema)
    .slice(0, 1)
    .map(({ remedy }) => `${named}, which cannot be written to the online table: ${remedy}; or set online: false.`);
}

function bucketProblems({ name, onlineBuckets: buckets }: ResolvedView): readonly Problem[] {
  if (buckets === undefined || (Number.isInteger(buckets) && buckets >= 1 && buckets <= MAX_BUCKETS)) return [];
  const message = `${buckets} is not a number of buckets; use a whole number from 1 to ${MAX_BUCKETS}.`;
  return [{ path: `featureViews.${name}.onlineBuckets`, message }];
}
