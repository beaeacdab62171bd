/** A registered feature view with what is known about its source and its online table. */
import { formatTableName } from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import {
  type Definitions,
  type Entity,
  type FeatureView,
  featureTypeToString,
  findFeatureView,
  resolveView,
} from '../features/index.js';
import { currentSchema, type TableMetadata } from '../iceberg/index.js';
import { effectiveProgress } from '../materialization/index.js';
import { definitionChangeTexts } from '../online/index.js';
import type { Project } from '../project/index.js';
import type { Table } from '../tables/index.js';
import { type TableSummary, tableSummary } from './list-tables.js';

/** A feature of a view. */
export interface DescribedFeature {
  readonly name: string;
  /** Null: the definition leaves the type to the source table, which cannot be read. */
  readonly type: string | null;
}

/** Progress of a view's online table. */
export interface OnlineTableDescription extends TableSummary {
  readonly name: string;
  /** Snapshot of the source table up to which incremental runs have read; null: there was no such run. */
  readonly sourceSnapshotId: bigint | null;
  /** Changes of the definition since the rows were written. Online reads of what changed are refused until the view is materialized. */
  readonly changes: readonly string[];
}

/** A feature view as it is registered, and the state of the tables behind it. */
export interface ViewDescription {
  readonly view: FeatureView;
  /** The entities of the view, in its order. */
  readonly entities: readonly Entity[];
  /** Null: the view has every column of its source table, which cannot be read. */
  readonly features: readonly DescribedFeature[] | null;
  /** Why the view does not fit its source table, or why that table cannot be read; null: it fits. */
  readonly sourceProblem: string | null;
  /** Current snapshot of the source table; null: it has none, or the table cannot be read. */
  readonly sourceSnapshotId: bigint | null;
  /** Null: the view has never been materialized. */
  readonly onlineTable: OnlineTableDescription | null;
}

/** @throws FEATURE_VIEW_NOT_FOUND with the nearest names */
export async function describeView(project: Project, name: string): Promise<ViewDescription> {
  const { definitions } = await (await project.registry()).read();
  const view = findFeatureView(definitions, name);
  const source = await loadSource(project, view);
  const bound = typeof source === 'string' ? source : bindFeatures(definitions, name, source);
  return {
    view,
    entities: view.entities.flatMap((entity) => definitions.entities.get(entity) ?? []),
    features: typeof bound === 'string' ? declaredFeatures(view) : bound,
    sourceProblem: typeof bound === 'string' ? bound : null,
    sourceSnapshotId: typeof source === 'string' ? null : source.metadata.currentSnapshotId,
    onlineTable: await describeOnlineTable(project, view, definitions),
  };
}

/** The source table, or why it cannot be read. */
async function loadSource(project: Project, { source }: FeatureView): Promise<Table | string> {
  try {
    return await project.loadTable(source.table);
  } catch (error) {
    if (isMoraineError(error)) return error.message;
    throw error;
  }
}

/** The features with their types, or why the view does not fit its source. */
function bindFeatures(
  definitions: Definitions,
  name: string,
  { metadata }: Table,
): readonly DescribedFeature[] | string {
  try {
    const { features } = resolveView(definitions, name, currentSchema(metadata));
    return features.map((feature) => ({ name: feature.name, type: featureTypeToString(feature.type) }));
  } catch (error) {
    if (isMoraineError(error)) return error.message;
    throw error;
  }
}

function declaredFeatures({ features }: FeatureView): readonly DescribedFeature[] | null {
  if (features === undefined) return null;
  return features.map(({ name, type }) => ({ name, type: type === undefined ? null : featureTypeToString(type) }));
}

async function describeOnlineTable(
  project: Project,
  view: FeatureView,
  definitions: Definitions,
): Promise<OnlineTableDescription | null> {
  const identifier = { namespace: project.config.online.namespace.split('.'), name: view.name };
  const metadata = await loadMetadata(project, identifier);
  if (metadata === null) return null;
  const loadTable = (table: string) => project.loadTable(table);
  return {
    name: formatTableName(identifier),
    ...tableSummary(metadata),
    sourceSnapshotId: effectiveProgress(metadata).progress?.incremental?.sourceSnapshotId ?? null,
    changes: await definitionChangeTexts(metadata, view, definitions, loadTable),
  };
}

async function loadMetadata(
  project: Project,
  identifier: { readonly namespace: readonly string[]; readonly name: string },
): Promise<TableMetadata | null> {
  try {
    return (await (await project.catalog()).loadTable(identifier)).metadata;
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) return null;
    throw error;
  }
}
