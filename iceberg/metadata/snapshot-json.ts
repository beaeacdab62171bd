/** Snapshots, refs and logs in their JSON form. Source: Apache Iceberg specification, Appendix C, "Table Metadata and Snapshots". */
import { type JsonObject, type JsonValue, jsonObject, stringifyJson } from '../json.js';
import { JsonFields, membersOf } from '../json-fields.js';
import type { MetadataLogEntry, Snapshot, SnapshotLogEntry, SnapshotRef } from './metadata.js';

const KNOWN_KEYS: ReadonlySet<string> = new Set([
  'snapshot-id',
  'parent-snapshot-id',
  'sequence-number',
  'timestamp-ms',
  'manifest-list',
  'manifests',
  'summary',
  'schema-id',
  'first-row-id',
  'added-rows',
]);
/** Those of an update that sets a ref, too. */
const REF_KEYS: ReadonlySet<string> = new Set([
  'action',
  'ref-name',
  'snapshot-id',
  'type',
  'min-snapshots-to-keep',
  'max-snapshot-age-ms',
  'max-ref-age-ms',
]);
const SNAPSHOT_LOG_KEYS: ReadonlySet<string> = new Set(['snapshot-id', 'timestamp-ms']);
const METADATA_LOG_KEYS: ReadonlySet<string> = new Set(['metadata-file', 'timestamp-ms']);
/** How old writers say that there is no snapshot. */
const NO_SNAPSHOT = -1n;

/**
 * Reads a snapshot.
 * @throws MoraineError `METADATA_CORRUPT` naming what is wrong
 */
export function parseSnapshot(json: JsonValue): Snapshot {
  const fields = new JsonFields(json, 'snapshot', 'METADATA_CORRUPT');
  const parentSnapshotId = fields.optionalLong('parent-snapshot-id');
  const manifestList = fields.optionalString('manifest-list');
  const manifests = fields.optional('manifests') === undefined ? undefined : fields.strings('manifests');
  const schemaId = fields.optionalInt('schema-id');
  const firstRowId = fields.optionalLong('first-row-id');
  const addedRows = fields.optionalLong('added-rows');
  const snapshotId = fields.long('snapshot-id');
  if (manifestList === undefined && manifests === undefined) {
    fields.fail(`snapshot ${snapshotId} has neither a manifest list nor manifests`);
  }
  return {
    snapshotId,
    ...(parentSnapshotId !== undefined && parentSnapshotId !== NO_SNAPSHOT && { parentSnapshotId }),
    sequenceNumber: fields.optionalLong('sequence-number') ?? 0n,
    timestampMs: fields.long('timestamp-ms'),
    ...(manifestList !== undefined && { manifestList }),
    ...(manifests !== undefined && { manifests }),
    summary: fields.stringMap('summary'),
    ...(schemaId !== undefined && { schemaId }),
    ...(firstRowId !== undefined && { firstRowId }),
    ...(addedRows !== undefined && { addedRows }),
    ...fields.unknownMembers(KNOWN_KEYS),
  };
}

/** The JSON form of a snapshot; v1 has no sequence number. */
export function snapshotToJson(snapshot: Snapshot, formatVersion: 1 | 2 | 3): JsonObject {
  return jsonObject([
    ['snapshot-id', snapshot.snapshotId],
    ['parent-snapshot-id', snapshot.parentSnapshotId],
    ['sequence-number', formatVersion === 1 ? undefined : snapshot.sequenceNumber],
    ['timestamp-ms', snapshot.timestampMs],
    ['manifest-list', snapshot.manifestList],
    ['manifests', snapshot.manifests],
    ['summary', snapshot.summary.size === 0 ? undefined : jsonObject(snapshot.summary)],
    ['schema-id', snapshot.schemaId],
    ['first-row-id', snapshot.firstRowId],
    ['added-rows', snapshot.addedRows],
    ...membersOf(snapshot),
  ]);
}

const textsV1 = new WeakMap<Snapshot, string>();
const texts = new WeakMap<Snapshot, string>();

/** The JSON text of a snapshot, remembered: snapshots never change, and each commit writes all of them again. */
export function snapshotText(snapshot: Snapshot, formatVersion: 1 | 2 | 3): string {
  const cache = formatVersion === 1 ? textsV1 : texts;
  let text = cache.get(snapshot);
  if (text === undefined) {
    text = stringifyJson(snapshotToJson(snapshot, formatVersion));
    cache.set(snapshot, text);
  }
  return text;
}

/** Reads a branch or tag. */
export function parseSnapshotRef(json: JsonValue, name: string): SnapshotRef {
  const fields = new JsonFields(json, `ref '${name}'`, 'METADATA_CORRUPT');
  const type = fields.string('type').toLowerCase();
  if (type !== 'branch' && type !== 'tag') return fields.fail(`its type '${type}' is neither branch nor tag`);
  const minSnapshotsToKeep = fields.optionalInt('min-snapshots-to-keep');
  const maxSnapshotAgeMs = fields.optionalLong('max-snapshot-age-ms');
  const maxRefAgeMs = fields.optionalLong('max-ref-age-ms');
  return {
    snapshotId: fields.long('snapshot-id'),
    type,
    ...(minSnapshotsToKeep !== undefined && { minSnapshotsToKeep }),
    ...(maxSnapshotAgeMs !== undefined && { maxSnapshotAgeMs }),
    ...(maxRefAgeMs !== undefined && { maxRefAgeMs }),
    ...fields.unknownMembers(REF_KEYS),
  };
}

/** The JSON form of a branch or tag. */
export function snapshotRefToJson(ref: SnapshotRef): JsonObject {
  return jsonObject([
    ['snapshot-id', ref.snapshotId],
    ['type', ref.type],
    ['min-snapshots-to-keep', ref.minSnapshotsToKeep],
    ['max-snapshot-age-ms', ref.maxSnapshotAgeMs],
    ['max-ref-age-ms', ref.maxRefAgeMs],
    ...membersOf(ref),
  ]);
}

/** Reads an entry of the snapshot log. */
export function parseSnapshotLogEntry(json: JsonValue): SnapshotLogEntry {
  const fields = new JsonFields(json, 'snapshot log entry', 'METADATA_CORRUPT');
  const [snapshotId, timestampMs] = [fields.long('snapshot-id'), fields.long('timestamp-ms')];
  return { snapshotId, timestampMs, ...fields.unknownMembers(SNAPSHOT_LOG_KEYS) };
}

/** Reads an entry of the metadata log. */
export function parseMetadataLogEntry(json: JsonValue): MetadataLogEntry {
  const fields = new JsonFields(json, 'metadata log entry', 'METADATA_CORRUPT');
  const [metadataFile, timestampMs] = [fields.string('metadata-file'), fields.long('timestamp-ms')];
  return { metadataFile, timestampMs, ...fields.unknownMembers(METADATA_LOG_KEYS) };
}

/** The JSON text of an entry of the snapshot log: of long histories there are very many. */
export function snapshotLogText(entry: SnapshotLogEntry): string {
  return `{"timestamp-ms":${entry.timestampMs},"snapshot-id":${entry.snapshotId}${othersText(entry)}}`;
}

/** The JSON text of an entry of the metadata log. */
export function metadataLogText(entry: MetadataLogEntry): string {
  const { timestampMs, metadataFile } = entry;
  return `{"timestamp-ms":${timestampMs},"metadata-file":${JSON.stringify(metadataFile)}${othersText(entry)}}`;
}

function othersText(entry: SnapshotLogEntry | MetadataLogEntry): string {
  return entry.otherFields === undefined ? '' : `,${stringifyJson(jsonObject(membersOf(entry))).slice(1, -1)}`;
}
