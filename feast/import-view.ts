/** One feature view. */
import { featureTypeToString, formatDurationMs, isJoinKeyType, isTimestampType } from '../features/index.js';
import type { IcebergType, Schema } from '../iceberg/index.js';
import { commonValue, type DefinitionValue, mapOf, type TableSchema } from './definition-value.js';
import { importType } from './feast-type.js';
import type { Findings, Obstacle } from './finding.js';
import { pushSourceName, sourceKind } from './iceberg-source.js';
import type { FeastFeatureView } from './registry-proto.js';
import type { ViewSource } from './view-sources.js';

const KIND = 'feature view';

/** A view that was imported. */
export interface ImportedView {
  readonly value: DefinitionValue;
  readonly features: ReadonlySet<string>;
  /** Whether all features of the view in Feast are there. */
  readonly complete: boolean;
}

/** Types of a table's columns by the names that the view has for them; undefined if the table could not be read. */
type Columns = ReadonlyMap<string, IcebergType> | undefined;

/**
 * @param view without Feast's stand-in among its entities
 * @param joinKeys by entity
 */
export function importView(
  view: FeastFeatureView,
  source: ViewSource,
  joinKeys: ReadonlyMap<string, string>,
  schemas: ReadonlyMap<string, TableSchema>,
  findings: Findings,
): ImportedView | Obstacle {
  const feast = view.batch_source;
  if (!('table' in source)) return source;
  if (feast === null) return { reason: 'it has no batch source', remedy: 'Define the view in features.yaml.' };
  const { table } = source;
  const schema = schemas.get(table);
  const mapping = mapOf(feast.field_mapping);
  const known = schema !== undefined && 'fields' in schema ? schema : undefined;
  if (schema !== undefined && !('fields' in schema)) {
    findings.changed(KIND, view.name, {
      reason: `its table ${table} could not be read, so its features and types are unchecked: ${schema.reason}`,
      remedy: 'Make the table readable; `moraine apply` checks the view against it.',
    });
  }
  dropUnknownColumns(mapping, known, view, findings);
  const columns = known === undefined ? undefined : columnsOf(known, mapping);
  const timestampField = nameInView(feast.timestamp_field, mapping);
  const created = nameInView(feast.created_timestamp_column, mapping);
  const keys = view.entities.map((entity) => joinKeys.get(entity) ?? entity);
  const obstacle = checkColumns(columns, table, keys, [timestampField, created]);
  if (obstacle !== undefined) return obstacle;
  reportMeaning(view, findings);
  const features = importFeatures(view, columns, new Set([...keys, timestampField, created]), findings);
  if (features.length === 0 && view.features.length > 0) {
    return { reason: `none of its features is a column of ${table}`, remedy: 'Define the view in features.yaml.' };
  }
  const pushSource = pushSourceName(view.stream_source);
  const value: DefinitionValue = {
    name: view.name,
    ...commonValue(view),
    entities: view.entities,
    source: {
      table,
      timestampField,
      ...(created === '' ? {} : { createdTimestampField: created }),
      ...(mapping.size === 0 ? {} : { fieldMapping: mapping }),
    },
    ...ttlOf(view, findings),
    online: view.online && !view.disabled,
    ...(features.length === 0 ? {} : { features }),
    ...(pushSource === undefined ? {} : { pushSource }),
  };
  return {
    value,
    features: new Set(features.map((feature) => feature.name)),
    complete: features.length === view.features.length,
  };
}

/** Feast takes a column by its name in the view or, if no column is renamed to that, by its own. */
function nameInView(column: string, mapping: ReadonlyMap<string, string>): string {
  return [...mapping.values()].includes(column) ? column : (mapping.get(column) ?? column);
}

function dropUnknownColumns(
  mapping: Map<string, string>,
  schema: Schema | undefined,
  view: FeastFeatureView,
  findings: Findings,
): void {
  if (schema === undefined) return;
  const names = new Set(schema.fields.map((field) => field.name));
  for (const column of mapping.keys()) {
    if (names.has(column)) continue;
    mapping.delete(column);
    findings.leftOut('field mapping', `${view.name}: ${column}`, {
      reason: 'the table has no such column',
      remedy: 'Nothing needs to be done.',
    });
  }
}

function columnsOf(schema: Schema, mapping: ReadonlyMap<string, string>): ReadonlyMap<string, IcebergType> {
  return new Map(schema.fields.map((field) => [mapping.get(field.name) ?? field.name, field.type]));
}

function checkColumns(
  columns: Columns,
  table: string,
  keys: readonly string[],
  [timestamp = '', created = '']: readonly string[],
): Obstacle | undefined {
  if (timestamp === '') {
    return { reason: 'its source has no timestamp_field', remedy: 'Name one in Feast, apply and import again.' };
  }
  if (columns === undefined) return undefined;
  for (const name of [...keys, timestamp, ...(created === '' ? [] : [created])]) {
    const type = columns.get(name);
    const fits = name === timestamp || name === created ? isTimestampType : isJoinKeyType;
    if (type !== undefined && fits(type)) continue;
    const needed = fits === isJoinKeyType ? 'a join key' : 'a timestamp';
    const reason =
      type === undefined
        ? `table ${table} has no column ${name}`
        : `column ${name} of ${table} is of type ${featureTypeToString(type)}, which cannot be ${needed}`;
    return { reason, remedy: 'Give the table such a column, then define the view in features.yaml.' };
  }
  return undefined;
}

/** Parts of a view besides rows and columns. */
function reportMeaning(view: FeastFeatureView, findings: Findings): void {
  const { stream_source: stream, batch_source: source } = view;
  if (stream !== null && pushSourceName(stream) === undefined) {
    findings.leftOut(sourceKind(stream), `${view.name}: ${stream.name}`, {
      reason: 'the view reads its batch table only',
      remedy: 'Append what was streamed to that table; `moraine materialize` brings it online.',
    });
  }
  if (view.disabled) {
    findings.changed(KIND, view.name, {
      reason: 'it is disabled in Feast; here it is not materialized, but it can be joined into training sets',
      remedy: 'Remove it from features.yaml if it must not be read at all.',
    });
  }
  if (view.enable_validation) {
    findings.changed(KIND, view.name, {
      reason: 'enable_validation has no counterpart; types are checked against the table by `moraine apply`',
      remedy: 'Nothing needs to be done.',
    });
  }
  if (view.version !== '' && view.version !== 'latest') {
    findings.changed(KIND, view.name, {
      reason: `it is pinned to version ${view.version} in Feast; versions are counted anew here`,
      remedy: 'Check that the definition in features.yaml is the version that you want.',
    });
  }
  if (source !== null && source.date_partition_column !== '') {
    findings.leftOut('date_partition_column', `${view.name}: ${source.date_partition_column}`, {
      reason: "Iceberg's partitions and column bounds say which files a time range is in",
      remedy: 'Nothing needs to be done.',
    });
  }
}

interface FeatureValue {
  readonly name: string;
  readonly type?: string;
}

function importFeatures(
  view: FeastFeatureView,
  columns: Columns,
  taken: ReadonlySet<string>,
  findings: Findings,
): readonly FeatureValue[] {
  const described = view.features.filter((feature) => feature.description !== '' || feature.tags.length > 0);
  if (described.length > 0) {
    findings.leftOut('description or tags of features', `${view.name}: ${described.map((f) => f.name).join(', ')}`, {
      reason: 'a feature has a name and a type',
      remedy: "Keep them in the view's description or tags, or in the table's column comments.",
    });
  }
  return view.features.flatMap((feature): readonly FeatureValue[] => {
    const name = `${view.name}:${feature.name}`;
    const column = columns?.get(feature.name);
    if (taken.has(feature.name)) {
      findings.leftOut('feature', name, {
        reason: 'it is a join key or timestamp of the view',
        remedy: 'It is in every result under its own name; leave it out of requests.',
      });
      return [];
    }
    if (columns !== undefined && (column === undefined || column.kind === 'unsupported')) {
      findings.leftOut('feature', name, {
        reason: column === undefined ? 'the table has no such column' : 'the type of its column is not supported',
        remedy: 'Add the column to the table and the feature to features.yaml.',
      });
      return [];
    }
    const { type, difference } = importType(feature.value_type, column);
    if (difference !== undefined) {
      findings.changed('feature', name, {
        reason: `${difference}: it has the type of the table here`,
        remedy: 'Read it as that type; write a column of the other type if you need it.',
      });
    }
    return [{ name: feature.name, ...(type === undefined ? {} : { type }) }];
  });
}

/** Feast counts microseconds; here it is milliseconds, rounded up so that no valid row is lost. */
function ttlOf(view: FeastFeatureView, findings: Findings): { readonly ttl?: string } {
  if (view.ttl === null) return {};
  const nanos = BigInt(view.ttl.seconds) * 1_000_000_000n + BigInt(view.ttl.nanos);
  if (nanos <= 0n) return {};
  const ms = (nanos + 999_999n) / 1_000_000n;
  if (ms * 1_000_000n !== nanos) {
    findings.changed(KIND, view.name, {
      reason: `its ttl of ${nanos} ns is rounded up to ${ms} ms`,
      remedy: 'Nothing needs to be done.',
    });
  }
  return { ttl: formatDurationMs(ms) };
}
