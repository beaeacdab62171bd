/**
 * Tables that have moved. The old name refuses writes from the moment on when the move reads the table for the last time: whoever
 * wrote there later would write beside the table. See docs/adr/0034-table-move.md.
 *
 * The mark is a property, which says where to, and a tag. Every commit of ours requires that there is no such tag: a catalog that applies
 * commits to whatever state it has by then (REST) refuses those that were on their way when the mark was made.
 */
import { type Catalog, type CommitRequest, formatTableName, type LoadedTable } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import { isJsonObject, parseJson, stringifyJson, type TableMetadata, type TableUpdate } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import type { Table } from './table.js';

/** Table property of the old name: JSON, `{table, location}` of the new one. */
export const MOVED_TO = 'moraine.moved-to';
const MOVED_TAG = 'moraine-moved';

/** Where a table moves to. */
export interface MovedTo {
  /** `CATALOG/NAMESPACE.TABLE` */
  readonly table: string;
  readonly location: Location;
}

/** Where the table has moved to, or is about to; null: it has not. @throws MoraineError `METADATA_CORRUPT` for a mark that is not understood */
export function movedTo({ properties }: Pick<TableMetadata, 'properties'>): MovedTo | null {
  const text = properties.get(MOVED_TO);
  if (text === undefined) return null;
  try {
    const json = parseJson(text);
    const { table, location } = isJsonObject(json) ? json : {};
    if (typeof table === 'string' && typeof location === 'string') return { table, location };
  } catch {
    // Told below.
  }
  throw new MoraineError('METADATA_CORRUPT', `The table property ${MOVED_TO} is ${text}, not {"table", "location"}.`);
}

/** @throws MoraineError `TABLE_MOVED` for a table whose name refuses writes */
export function requireUnmoved({ identifier, catalog, metadata }: Omit<Table, 'io'>): void {
  const moved = movedTo(metadata);
  if (moved === null) return;
  const name = formatTableName(identifier, catalog?.name);
  const message = `Table ${name} is not written: it has moved to ${moved.table}, or is about to. Write there. If the move was cut short, finish it: moraine table move ${name} --to ${moved.table.slice(0, moved.table.indexOf('/'))}.`;
  throw new MoraineError('TABLE_MOVED', message, { details: { ...moved } });
}

/** The tag that every commit requires to be as it was in its base. Catalogs whose tables have no tags take commits in order. */
export function markTags({ catalog }: Pick<Table, 'catalog'>): readonly string[] {
  return catalog?.hasTableRefs === false ? [] : [MOVED_TAG];
}

/**
 * Makes one attempt to commit, unless the table has moved.
 * @throws MoraineError `TABLE_MOVED`; as {@link Catalog.commitTable}
 */
export function commitUnmoved(catalog: Catalog, base: LoadedTable, request: CommitRequest): Promise<LoadedTable> {
  requireUnmoved({ ...base, catalog });
  const unmoved = markTags({ catalog }).map((ref) => {
    return {
      type: 'assert-ref-snapshot-id',
      ref,
      snapshotId: base.metadata.refs.get(ref)?.snapshotId ?? null,
    } as const;
  });
  return catalog.commitTable(base.identifier, { ...request, requirements: [...request.requirements, ...unmoved] });
}

/** The updates that make the mark. A table without a snapshot gets no tag. */
export function markMoved(base: TableMetadata, to: MovedTo): readonly TableUpdate[] {
  const snapshotId = base.currentSnapshotId ?? base.snapshots.at(-1)?.snapshotId;
  const updates = new Map([[MOVED_TO, stringifyJson({ ...to })]]);
  const property: TableUpdate = { action: 'set-properties', updates };
  if (snapshotId === undefined) return [property];
  return [property, { action: 'set-snapshot-ref', refName: MOVED_TAG, ref: { type: 'tag', snapshotId } }];
}

/** The sequence number of the snapshot that was current when the mark was made; -1: there was none. */
export function sequenceNumberOfMark({ refs, snapshots }: TableMetadata): bigint {
  const marked = refs.get(MOVED_TAG)?.snapshotId;
  return snapshots.find(({ snapshotId }) => snapshotId === marked)?.sequenceNumber ?? -1n;
}

/** The metadata without the mark, for the new name. */
export function withoutMark(metadata: TableMetadata): TableMetadata {
  const properties = new Map(metadata.properties);
  const refs = new Map(metadata.refs);
  properties.delete(MOVED_TO);
  refs.delete(MOVED_TAG);
  return { ...metadata, properties, refs };
}
