/** The source column of each column of a view. These columns decide the values of the view's online table. Pure. */
import { z } from 'zod';
import type { Definitions, FeatureView, ResolvedView } from '../features/index.js';

/** Only names, so that a definition can be compared with it without a look at the source table. */
export interface ViewColumns {
  /** The source table's name. */
  readonly source: string;
  /** Names of the join keys, in order. */
  readonly keys: readonly string[];
  /** The source's column of event times. */
  readonly timestamp: string;
  /** The source's column of created times. */
  readonly created: string | null;
  /** Source columns of join keys and features by their names in the view, where the two names differ. */
  readonly mapped: ReadonlyMap<string, string>;
}

/** Differences between the stored values of a view and its definition, as clauses of a sentence. */
export interface ColumnChanges {
  /** Changes of every value: other rows are read, or other rows win. */
  readonly everywhere: readonly string[];
  /** Stored features that are read from another column now. */
  readonly features: ReadonlyMap<string, string>;
}

/** {@link ViewColumns} as JSON, in and out. */
export const viewColumnsJson = z.object({
  source: z.string(),
  keys: z.array(z.string()),
  timestamp: z.string(),
  created: z.string().nullable(),
  mapped: z.array(z.tuple([z.string(), z.string()])).transform((list): ViewColumns['mapped'] => new Map(list)),
});

export function viewColumnsToJson(columns: ViewColumns): z.input<typeof viewColumnsJson> {
  return { ...columns, keys: [...columns.keys], mapped: [...columns.mapped] };
}

/** The columns of a view that is bound to its source table. */
export function viewColumns({ sourceTable, joinKeys, timestamp, created, features }: ResolvedView): ViewColumns {
  return {
    source: sourceTable,
    keys: joinKeys.map(({ name }) => name),
    timestamp: timestamp.sourceColumn,
    created: created?.sourceColumn ?? null,
    mapped: new Map(
      [...joinKeys, ...features].flatMap(({ name, sourceColumn }) =>
        name === sourceColumn ? [] : [[name, sourceColumn] as const],
      ),
    ),
  };
}

/**
 * Compares what was stored with what a definition asks for now.
 * @param features names of the features of which values are stored
 */
export function columnChanges(
  stored: ViewColumns,
  features: readonly string[],
  view: FeatureView,
  definitions: Definitions,
): ColumnChanges {
  const { table, timestampField, createdTimestampField: created } = view.source;
  const before = (name: string): string => stored.mapped.get(name) ?? name;
  const after = sourceColumns(view);
  const everywhere = [
    change('source table', stored.source, table),
    change('join key', keysText(stored.keys, before), keysText(joinKeysOf(view, definitions), after)),
    change('column of event times', stored.timestamp, after(timestampField)),
    change('column of created times', stored.created, created === undefined ? null : after(created)),
  ];
  const now = (name: string): string | null => (isRenamedColumn(name, view) ? null : after(name));
  const changed = features.map((name) => [name, change(`column of feature '${name}'`, before(name), now(name))]);
  return {
    everywhere: everywhere.filter((text) => text !== null),
    features: new Map(changed.filter((entry): entry is [string, string] => entry[1] !== null)),
  };
}

/** Whether a view of all columns calls the column of this name otherwise, and no other column so. */
function isRenamedColumn(name: string, { features, source }: FeatureView): boolean {
  const mapping = new Map(source.fieldMapping ?? []);
  return features === undefined && mapping.has(name) && ![...mapping.values()].includes(name);
}

/** Names of a view's join keys, in order, each once. */
export function joinKeysOf(view: FeatureView, { entities }: Definitions): readonly string[] {
  return [...new Set(view.entities.flatMap((name) => entities.get(name)?.joinKeys ?? []))];
}

export function change(what: string, before: string | null, after: string | null): string | null {
  return before === after ? null : `the ${what} was ${before ?? 'none'} and is ${after ?? 'none'}`;
}

function sourceColumns({ source }: FeatureView): (name: string) => string {
  const byName = new Map([...(source.fieldMapping ?? [])].map(([column, name]) => [name, column]));
  return (name) => byName.get(name) ?? name;
}

function keysText(keys: readonly string[], columnOf: (name: string) => string): string {
  return keys.map((name) => (name === columnOf(name) ? name : `${name} (column ${columnOf(name)})`)).join(', ');
}
