/** A table's metadata as `table show` and `table history` print it. */

import { formatTableName } from '../../catalogs/index.js';
import { formatTimeUs } from '../../config/index.js';
import { countText, largest } from '../../errors/index.js';
import {
  currentSchema,
  defaultSpec,
  findField,
  type PartitionField,
  type Schema,
  type Snapshot,
  schemaToJson,
  type TableMetadata,
  transformToString,
  typeToString,
} from '../../iceberg/index.js';
import type { Table } from '../../tables/index.js';
import { formatColumns, printable } from './output.js';

/** A snapshot, as JSON. */
export interface SnapshotDescription {
  readonly snapshotId: string;
  readonly parentSnapshotId: string | null;
  readonly timestamp: string;
  readonly operation: string | null;
  readonly sequenceNumber: string;
  readonly schemaId: number | null;
  readonly current: boolean;
  readonly refs: readonly string[];
  readonly summary: ReadonlyMap<string, string>;
}

export function describeSnapshot(metadata: TableMetadata, snapshot: Snapshot): SnapshotDescription {
  const refs = [...metadata.refs].filter(([, ref]) => ref.snapshotId === snapshot.snapshotId).map(([name]) => name);
  return {
    snapshotId: snapshot.snapshotId.toString(),
    parentSnapshotId: snapshot.parentSnapshotId?.toString() ?? null,
    timestamp: formatTimeUs(snapshot.timestampMs * 1000n),
    operation: snapshot.summary.get('operation') ?? null,
    sequenceNumber: snapshot.sequenceNumber.toString(),
    schemaId: snapshot.schemaId ?? null,
    current: snapshot.snapshotId === metadata.currentSnapshotId,
    refs,
    summary: snapshot.summary,
  };
}

/** `month(event_ts)`, `bucket[16](id)`, `day(at) AS day` where the name is not the usual one. */
function describePartitionField(field: PartitionField, schema: Schema): string {
  const { sourceIds = [field.sourceId] } = field;
  const source = sourceIds.map((id) => findField(schema, id)?.name ?? `field ${id}`).join(', ');
  return field.transform.kind === 'identity' ? source : `${transformToString(field.transform)}(${source})`;
}

/** Everything that `table show --json` prints. */
export function describeTable(table: Table) {
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const spec = defaultSpec(metadata);
  const order = metadata.sortOrders.find((candidate) => candidate.orderId === metadata.defaultSortOrderId);
  const snapshot = metadata.snapshots.find((candidate) => candidate.snapshotId === metadata.currentSnapshotId);
  return {
    name: table.catalog === undefined ? null : formatTableName(table.identifier),
    catalog: table.catalog?.name ?? null,
    location: metadata.location,
    metadataLocation: table.metadataLocation,
    tableUuid: metadata.tableUuid,
    formatVersion: metadata.formatVersion,
    schema: schemaToJson(schema),
    partitionSpec: spec.fields.map((field) => describePartitionField(field, schema)),
    sortOrder: (order?.fields ?? []).map(
      (field) => `${findField(schema, field.sourceId)?.name ?? `field ${field.sourceId}`} ${field.direction}`,
    ),
    currentSnapshot: snapshot === undefined ? null : describeSnapshot(metadata, snapshot),
    snapshots: metadata.snapshots.length,
    refs: new Map([...metadata.refs].map(([name, ref]) => [name, { ...ref, snapshotId: ref.snapshotId.toString() }])),
    properties: metadata.properties,
  };
}

/** Text of `table show`. */
export function formatTable(table: Table): string {
  const description = describeTable(table);
  const { metadata } = table;
  const snapshot = description.currentSnapshot;
  const rows: [string, string][] = [
    ...(description.name === null
      ? []
      : [['table', `${description.name} (catalog ${description.catalog ?? ''})`] as [string, string]]),
    ['location', description.location],
    ['metadata', description.metadataLocation],
    ['format', `version ${description.formatVersion}`],
    ['partitioned by', description.partitionSpec.join(', ') || '-'],
    ['sorted by', description.sortOrder.join(', ') || '-'],
    ['snapshot', snapshot === null ? '- (no rows yet)' : formatSnapshotLine(snapshot)],
  ];
  const width = largest(rows.map(([name]) => name.length));
  const facts = rows.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}\n`).join('');
  const columns = currentSchema(metadata).fields.map((field) => [
    String(field.id),
    field.name,
    typeToString(field.type),
    field.required ? 'required' : '',
    field.doc ?? '',
  ]);
  const properties = [...metadata.properties].map(([name, value]) => [name, shorten(value)]);
  return [
    facts,
    formatColumns(['id', 'column', 'type', '', ''], columns),
    ...(properties.length === 0 ? [] : [formatColumns(['property', 'value'], properties)]),
  ].join('\n');
}

function formatSnapshotLine(snapshot: SnapshotDescription): string {
  const { snapshotId, operation, timestamp, summary } = snapshot;
  const counts = [
    ['total-records', 'rows'],
    ['total-data-files', 'files'],
  ].flatMap(([key = '', unit = '']) => (summary.has(key) ? [`${countOf(summary.get(key) ?? '')} ${unit}`] : []));
  return [`${snapshotId} (${operation ?? 'unknown operation'})`, timestamp, ...counts].join(', ');
}

const SHOWN_PROPERTY_LENGTH = 100;

function shorten(value: string): string {
  return value.length <= SHOWN_PROPERTY_LENGTH
    ? value
    : `${value.slice(0, SHOWN_PROPERTY_LENGTH)}... (--json shows all)`;
}

/** A count of a summary, whoever wrote it. */
function countOf(text: string): string {
  return /^\d+$/.test(text) ? countText(text) : text;
}
