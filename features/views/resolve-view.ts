/** A feature view bound to the schema of its source table: every name found, every type known. */

import { didYouMean } from '../../errors/index.js';
import type { IcebergType, NestedField, Schema } from '../../iceberg/index.js';
import type { EngineType } from '../../reduction/index.js';
import type { Definitions, Entity, Feature, FeatureView, PartitionStrategy } from '../definitions/definition.js';
import { findFeatureView } from '../definitions/definition.js';
import { canonicalHash } from '../definitions/definition-hash.js';
import { acceptsType, featureTypeToString, isJoinKeyType, isTimestampType } from '../definitions/feature-type.js';
import { type Problem, throwProblems } from '../definitions/problem.js';

/** A column that a view reads. */
export interface ResolvedColumn {
  /** Name in the view. */
  readonly name: string;
  /** Name in the source table. */
  readonly sourceColumn: string;
  readonly sourceFieldId: number;
  /** Type in the view: the source's, or what it is promoted to. */
  readonly type: IcebergType;
}

/** A feature view with everything that reading its source needs. */
export interface ResolvedView {
  readonly name: string;
  /** Version in the registry; 0 if it is not registered. */
  readonly version: number;
  /** Changes exactly when materialized rows would: keys, source, mapping, features; not tags, descriptions, ttl or name. */
  readonly definitionHash: string;
  readonly sourceTable: string;
  /** Keys of all its entities, in order, each once. Empty for a view that joins on time alone. */
  readonly joinKeys: readonly ResolvedColumn[];
  readonly timestamp: ResolvedColumn;
  readonly created: ResolvedColumn | null;
  readonly features: readonly ResolvedColumn[];
  /** Null: rows are valid for ever. */
  readonly ttlUs: bigint | null;
  readonly online: boolean;
  readonly onlineBuckets: number | undefined;
  readonly onlinePartitionStrategy?: PartitionStrategy | undefined;
  /** Who reduces its source rows; undefined: as the project says. */
  readonly engine?: EngineType | undefined;
}

/** Names of a view's columns, each with the column of the source table behind it. */
type SourceColumns = ReadonlyMap<string, NestedField>;

/**
 * Binds a view to its source table's schema.
 * @throws FEATURE_VIEW_NOT_FOUND; DEFINITION_INVALID with every problem at once (missing columns with the nearest names, types that do not fit)
 */
export function resolveView(
  definitions: Definitions,
  name: string,
  sourceSchema: Schema,
  options: { readonly version?: number } = {},
): ResolvedView {
  const view = findFeatureView(definitions, name);
  const problems: Problem[] = [];
  const resolved = bindView(definitions.entities, view, sourceSchema, options.version ?? 0, problems);
  if (resolved === undefined || problems.length > 0) throwProblems(problems);
  return resolved;
}

/** Like {@link resolveView}, but adds problems to a list; undefined if nothing can be bound. */
export function bindView(
  entities: ReadonlyMap<string, Entity>,
  view: FeatureView,
  schema: Schema,
  version: number,
  problems: Problem[],
): ResolvedView | undefined {
  const report = (path: string, message: string): void => {
    problems.push({ path: `featureViews.${view.name}.${path}`, message });
  };
  const columns = mappedColumns(view, schema, report);
  const joinKeys = bindJoinKeys(entities, view, columns, report);
  const timestamp = bindTimestamp(view.source.timestampField, columns, view, 'source.timestampField', report);
  const createdField = view.source.createdTimestampField;
  const created =
    createdField === undefined
      ? undefined
      : bindTimestamp(createdField, columns, view, 'source.createdTimestampField', report);
  const taken = new Set([...joinKeys.map((key) => key.name), view.source.timestampField, createdField]);
  const features = bindFeatures(view, columns, taken, report);
  if (timestamp === undefined) return undefined;
  const bound = { joinKeys, timestamp, created: created ?? null, features, sourceTable: view.source.table };
  return {
    name: view.name,
    version,
    definitionHash: materializationHash(bound),
    ...bound,
    ttlUs: view.ttlMs === null ? null : view.ttlMs * 1000n,
    online: view.online,
    onlineBuckets: view.onlineBuckets,
    onlinePartitionStrategy: view.onlinePartitionStrategy,
    engine: view.engine,
  };
}

type Report = (path: string, message: string) => void;

function mappedColumns(view: FeatureView, schema: Schema, report: Report): SourceColumns {
  const mapping = view.source.fieldMapping ?? new Map<string, string>();
  const known = new Set(schema.fields.map((field) => field.name));
  for (const column of mapping.keys()) {
    if (!known.has(column)) {
      report(
        'source.fieldMapping',
        `Table ${view.source.table} has no column '${column}'. ${didYouMean(column, known)}`,
      );
    }
  }
  const columns = new Map<string, NestedField>();
  for (const field of schema.fields) {
    const name = mapping.get(field.name) ?? field.name;
    const other = columns.get(name);
    if (other !== undefined) {
      report(
        'source.fieldMapping',
        `Columns '${other.name}' and '${field.name}' of ${view.source.table} would both be named '${name}'.`,
      );
    }
    columns.set(name, field);
  }
  return columns;
}

function bindJoinKeys(
  entities: ReadonlyMap<string, Entity>,
  view: FeatureView,
  columns: SourceColumns,
  report: Report,
): ResolvedColumn[] {
  const keys = new Map<string, ResolvedColumn>();
  for (const entityName of view.entities) {
    const entity = entities.get(entityName);
    if (entity === undefined) {
      report('entities', `There is no entity '${entityName}'. ${didYouMean(entityName, entities.keys())}`);
      continue;
    }
    for (const key of entity.joinKeys) {
      const column = bindColumn(key, columns, view, `entities.${entityName}`, report);
      if (column === undefined) continue;
      if (!isJoinKeyType(column.type)) {
        const type = featureTypeToString(column.type);
        report(
          `entities.${entityName}`,
          `Join key '${key}' is of type ${type}; floating-point and nested types cannot be join keys.`,
        );
      }
      keys.set(key, column);
    }
  }
  return [...keys.values()];
}

function bindTimestamp(
  name: string,
  columns: SourceColumns,
  view: FeatureView,
  path: string,
  report: Report,
): ResolvedColumn | undefined {
  const column = bindColumn(name, columns, view, path, report);
  if (column !== undefined && !isTimestampType(column.type)) {
    report(
      path,
      `Column '${column.sourceColumn}' of ${view.source.table} is of type ${featureTypeToString(column.type)}, not a timestamp.`,
    );
  }
  return column;
}

function bindFeatures(
  view: FeatureView,
  columns: SourceColumns,
  taken: ReadonlySet<string | undefined>,
  report: Report,
): ResolvedColumn[] {
  const wanted: readonly Feature[] =
    view.features ?? [...columns.keys()].filter((name) => !taken.has(name)).map((name) => ({ name }));
  if (wanted.length === 0) report('features', `Table ${view.source.table} has no column besides keys and timestamps.`);
  const features: ResolvedColumn[] = [];
  for (const feature of wanted) {
    if (taken.has(feature.name)) {
      report(
        `features.${feature.name}`,
        `'${feature.name}' is a join key or timestamp of the view and cannot be a feature too.`,
      );
      continue;
    }
    const column = bindColumn(feature.name, columns, view, `features.${feature.name}`, report);
    if (column === undefined) continue;
    const type = feature.type === undefined ? column.type : fitType(feature.type, column.type);
    if (type === undefined || column.type.kind === 'unsupported') {
      const actual = featureTypeToString(column.type);
      const declared = feature.type === undefined ? 'a supported type' : featureTypeToString(feature.type);
      report(
        `features.${feature.name}`,
        `Column '${column.sourceColumn}' of ${view.source.table} is of type ${actual}, not ${declared}.`,
      );
    }
    features.push({ ...column, type: type ?? column.type });
  }
  return features;
}

/** The type to read: a nested source type keeps its field ids. */
function fitType(declared: IcebergType, source: IcebergType): IcebergType | undefined {
  if (!acceptsType(declared, source)) return undefined;
  return declared.kind === 'struct' || declared.kind === 'list' || declared.kind === 'map' ? source : declared;
}

function bindColumn(
  name: string,
  columns: SourceColumns,
  view: FeatureView,
  path: string,
  report: Report,
): ResolvedColumn | undefined {
  const field = columns.get(name);
  if (field === undefined) {
    report(path, `Table ${view.source.table} has no column '${name}'. ${didYouMean(name, columns.keys())}`);
    return undefined;
  }
  return { name, sourceColumn: field.name, sourceFieldId: field.id, type: field.type };
}

function materializationHash(
  view: Pick<ResolvedView, 'sourceTable' | 'joinKeys' | 'timestamp' | 'created' | 'features'>,
): string {
  const column = (c: ResolvedColumn) => ({ name: c.name, source: c.sourceColumn, type: featureTypeToString(c.type) });
  return canonicalHash({
    table: view.sourceTable,
    joinKeys: view.joinKeys.map(column),
    timestamp: view.timestamp.sourceColumn,
    created: view.created?.sourceColumn ?? null,
    features: view.features.map(column),
  });
}
