/** Whether the rows of an online table are those that its view defines now. */
import { isMoraineError } from '../errors/index.js';
import {
  type Definitions,
  type FeatureView,
  type ResolvedColumn,
  type ResolvedView,
  resolveView,
} from '../features/index.js';
import { currentSchema, type IcebergType, type Schema, type TableMetadata } from '../iceberg/index.js';
import type { Table } from '../tables/index.js';
import {
  changedParts,
  type DefinitionFingerprint,
  fingerprintDefinition,
  sourceDigest,
} from './definition-fingerprint.js';
import { joinKeysOfTable } from './online-schema-change.js';
import { type OnlineColumns, storedColumns } from './stored-columns.js';
import { type StoredDefinition, storedDefinition } from './table-progress.js';
import { type ColumnChanges, change, columnChanges, joinKeysOf } from './view-columns.js';

/** Loads a source table by its name. */
export type LoadSource = (name: string) => Promise<Table>;

/**
 * Changes of the definition since the rows of an online table were written; empty where that is not recorded.
 * The source table is loaded only if names alone do not decide.
 * @throws METADATA_CORRUPT if the table is not an online table
 */
export async function definitionChanges(
  metadata: TableMetadata,
  view: FeatureView,
  definitions: Definitions,
  loadSource?: LoadSource,
): Promise<ColumnChanges> {
  const { columns } = storedColumns(metadata, joinKeysOf(view, definitions), view.name);
  const features = columns.features.map(({ name }) => name);
  const stored = storedDefinition(metadata);
  const now = { view, definitions, loadSource };
  if (stored === null) return { ...UNCHANGED, everywhere: unwrittenChanges(metadata, now) };
  if (stored.definition.columns === undefined)
    return { ...UNCHANGED, everywhere: await changesByDigest(stored, columns, metadata, now) };
  const changes = columnChanges(stored.definition.columns, features, view, definitions);
  if (stored.definition.columns.source === view.source.table || !(await isSameTable(stored, now))) return changes;
  const [, ...everywhere] = changes.everywhere;
  return { ...changes, everywhere };
}

/**
 * Features that the definition has now and of which no value is stored, in the view's order. The source table is loaded for a view of all
 * its columns; where it cannot be loaded, such a view has only the stored features.
 * @throws METADATA_CORRUPT if the table is not an online table
 */
export async function addedFeatures(
  metadata: TableMetadata,
  view: FeatureView,
  definitions: Definitions,
  loadSource?: LoadSource,
): Promise<readonly string[]> {
  const { columns } = storedColumns(metadata, joinKeysOf(view, definitions), view.name);
  const stored = new Set(columns.features.map(({ name }) => name));
  const defined = view.features ?? (await sourceFeatures({ view, definitions, loadSource }));
  return defined.flatMap(({ name }) => (stored.has(name) ? [] : [name]));
}

/** Every difference between the stored values and the definition, as clauses of a sentence; empty if every value that the view defines is stored. */
export async function definitionChangeTexts(
  metadata: TableMetadata,
  view: FeatureView,
  definitions: Definitions,
  loadSource: LoadSource,
): Promise<readonly string[]> {
  const { everywhere, features } = await definitionChanges(metadata, view, definitions, loadSource);
  const added = await addedFeatures(metadata, view, definitions, loadSource);
  return [...everywhere, ...features.values(), ...added.map(addedText)];
}

/** The clause about a feature of {@link addedFeatures}. */
export function addedText(name: string): string {
  return `feature '${name}' was added`;
}

const UNCHANGED: ColumnChanges = { everywhere: [], features: new Map() };

interface Present {
  readonly view: FeatureView;
  readonly definitions: Definitions;
  readonly loadSource: LoadSource | undefined;
}

/** A table without progress can only have other keys. */
function unwrittenChanges(metadata: TableMetadata, { view, definitions }: Present): readonly string[] {
  const before = joinKeysOfTable(metadata)?.join(', ') ?? null;
  const keys = before === null ? null : change('join key', before, joinKeysOf(view, definitions).join(', '));
  return keys === null ? [] : [keys];
}

/** A table that was moved to another name has the same rows. */
async function isSameTable({ sourceTableUuid }: StoredDefinition, { view, loadSource }: Present): Promise<boolean> {
  const source = await loadOrNull(loadSource, view.source.table);
  return source?.metadata.tableUuid === sourceTableUuid;
}

/**
 * Tables of earlier releases record digests only. They are compared with those of the present definition cut down to the features that
 * are stored; where the source cannot say what those are, with what needs no source.
 */
async function changesByDigest(
  { definition }: StoredDefinition,
  columns: OnlineColumns,
  metadata: TableMetadata,
  now: Present,
): Promise<readonly string[]> {
  const { view, definitions } = now;
  const keys = unwrittenChanges(metadata, now);
  if (keys.length > 0) return keys;
  if (definition.source !== sourceDigest(view.source.table)) return ['the source table is another one'];
  const source = (await loadOrNull(now.loadSource, view.source.table))?.metadata;
  if (source === undefined) return [];
  const bound = (features: FeatureView['features']): DefinitionFingerprint | null =>
    fingerprintOrNull({ ...view, features }, columns, currentSchema(source), definitions);
  const whole = bound(columns.features.map(({ name }) => ({ name })));
  // A feature that was taken out may have no column any more: then only the other parts can be compared.
  const after = whole ?? bound(view.features);
  if (after === null) return [];
  return changedParts(definition, { ...after, partitioning: definition.partitioning })
    .filter((part) => part !== 'features' || whole !== null)
    .map((part) => `the ${PART_NAMES.get(part) ?? part} changed`);
}

const PART_NAMES = new Map([
  ['keys', 'join keys'],
  ['mapping', 'columns of event and created times'],
  ['features', 'columns of the features'],
]);

/** The features of a view of all columns of its source as that is now; none if the source is not there, or does not fit the definition. */
async function sourceFeatures({ view, definitions, loadSource }: Present): Promise<readonly ResolvedColumn[]> {
  const source = await loadOrNull(loadSource, view.source.table);
  return (source === null ? null : resolveOrNull(view, currentSchema(source.metadata), definitions))?.features ?? [];
}

/** Types are those that are stored: a type that only the source has since changed does not change a definition. */
function fingerprintOrNull(
  view: FeatureView,
  { keys, features, eventTimestamp, createdTimestamp }: OnlineColumns,
  source: Schema,
  definitions: Definitions,
): DefinitionFingerprint | null {
  const resolved = resolveOrNull(view, source, definitions);
  if (resolved === null) return null;
  const types = new Map([...keys, ...features].map(({ name, type }) => [name, type]));
  const asStored = (column: ResolvedColumn, type = types.get(column.name)): ResolvedColumn =>
    type === undefined || isNested(type) ? column : { ...column, type };
  const stored: ResolvedView = {
    ...resolved,
    joinKeys: resolved.joinKeys.map((key) => asStored(key)),
    timestamp: asStored(resolved.timestamp, eventTimestamp.type),
    created: resolved.created === null ? null : asStored(resolved.created, createdTimestamp.type),
    features: resolved.features.map((feature) => asStored(feature)),
  };
  return fingerprintDefinition(stored, '');
}

/** The view bound to its source; null if the source does not fit it. */
function resolveOrNull(view: FeatureView, source: Schema, definitions: Definitions): ResolvedView | null {
  try {
    return resolveView({ ...definitions, featureViews: new Map([[view.name, view]]) }, view.name, source);
  } catch (error) {
    if (isMoraineError(error, 'DEFINITION_INVALID')) return null;
    throw error;
  }
}

/** Online reads do not depend on the source: what it would have said is left out if it is not there. */
async function loadOrNull(loadSource: LoadSource | undefined, name: string): Promise<Table | null> {
  try {
    return (await loadSource?.(name)) ?? null;
  } catch (error) {
    if (isMoraineError(error)) return null;
    throw error;
  }
}

function isNested({ kind }: IcebergType): boolean {
  return kind === 'struct' || kind === 'list' || kind === 'map';
}
