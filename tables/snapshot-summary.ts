/** The counters of a snapshot summary. Source: Apache Iceberg specification, Appendix F "Optional Snapshot Summary Fields". */
import { type DataFile, type PartitionSpec, partitionPath, type Schema, type Snapshot } from '../iceberg/index.js';

/** The files that a commit adds and removes: data and delete files. */
export interface FileChanges {
  readonly added: readonly DataFile[];
  readonly removed: readonly DataFile[];
}

interface Totals {
  readonly files: bigint;
  readonly records: bigint;
  readonly bytes: bigint;
}

/** Counts of the summary. A deletion vector counts with the bytes of its blob, since one file holds many. */
function totalsOf(files: readonly DataFile[]): Totals {
  let records = 0n;
  let bytes = 0n;
  for (const file of files) {
    records += file.recordCount;
    bytes += file.contentSizeInBytes ?? file.fileSizeInBytes;
  }
  return { files: BigInt(files.length), records, bytes };
}

/** Counts of added or removed files of a commit, by kind. */
interface KindTotals {
  readonly all: Totals;
  readonly data: Totals;
  readonly deletes: Totals;
  readonly positionDeletes: Totals;
  readonly equalityDeletes: Totals;
  readonly vectors: Totals;
}

function kindsOf(files: readonly DataFile[]): KindTotals {
  const positions = files.filter(({ content }) => content === 'position-deletes');
  return {
    all: totalsOf(files),
    data: totalsOf(files.filter(({ content }) => content === 'data')),
    deletes: totalsOf(files.filter(({ content }) => content !== 'data')),
    positionDeletes: totalsOf(positions),
    equalityDeletes: totalsOf(files.filter(({ content }) => content === 'equality-deletes')),
    vectors: totalsOf(positions.filter(({ fileFormat }) => fileFormat === 'PUFFIN')),
  };
}

function deleteCounters(verb: 'added' | 'removed', kinds: KindTotals): readonly [string, string][] {
  const { deletes, positionDeletes, equalityDeletes, vectors } = kinds;
  return [
    ...counter(`${verb}-delete-files`, deletes.files),
    ...counter(`${verb}-position-delete-files`, positionDeletes.files - vectors.files),
    ...counter(`${verb}-dvs`, vectors.files),
    ...counter(`${verb}-equality-delete-files`, equalityDeletes.files),
    ...counter(`${verb}-position-deletes`, positionDeletes.records),
    ...counter(`${verb}-equality-deletes`, equalityDeletes.records),
  ];
}

function changedPartitions(changes: FileChanges, specs: readonly PartitionSpec[], schema: Schema): number {
  const specById = new Map(specs.map((spec) => [spec.specId, spec]));
  const changed = new Set<string>();
  for (const file of [...changes.added, ...changes.removed]) {
    const spec = specById.get(file.specId);
    changed.add(spec === undefined ? '' : `${file.specId}/${partitionPath(spec, schema, file.partition)}`);
  }
  return changed.size;
}

/** A `total-*` counter carried on; one that the parent does not know stays unknown. */
function carry(parent: Snapshot | null, name: string, change: bigint): readonly [string, string][] {
  const before = parent === null ? '0' : parent.summary.get(name);
  if (before === undefined || !/^\d+$/.test(before)) return [];
  const total = BigInt(before) + change;
  return total < 0n ? [] : [[name, total.toString()]];
}

function counter(name: string, value: bigint): readonly [string, string][] {
  return value === 0n ? [] : [[name, value.toString()]];
}

/**
 * The summary of a snapshot: its operation, what it added and removed, and the totals after it.
 * @param parent the snapshot it builds on, null for a table's first
 */
export function snapshotSummary(
  operation: string,
  changes: FileChanges,
  parent: Snapshot | null,
  specs: readonly PartitionSpec[],
  schema: Schema,
): ReadonlyMap<string, string> {
  const added = kindsOf(changes.added);
  const removed = kindsOf(changes.removed);
  const total = (name: string, kind: keyof KindTotals, member: keyof Totals) =>
    carry(parent, name, added[kind][member] - removed[kind][member]);
  return new Map<string, string>([
    ['operation', operation],
    ...counter('added-data-files', added.data.files),
    ...counter('added-records', added.data.records),
    ...counter('added-files-size', added.all.bytes),
    ...deleteCounters('added', added),
    ...counter('deleted-data-files', removed.data.files),
    ...counter('deleted-records', removed.data.records),
    ...counter('removed-files-size', removed.all.bytes),
    ...deleteCounters('removed', removed),
    ['changed-partition-count', changedPartitions(changes, specs, schema).toString()],
    ...total('total-records', 'data', 'records'),
    ...total('total-files-size', 'all', 'bytes'),
    ...total('total-data-files', 'data', 'files'),
    ...total('total-delete-files', 'deletes', 'files'),
    ...total('total-position-deletes', 'positionDeletes', 'records'),
    ...total('total-equality-deletes', 'equalityDeletes', 'records'),
  ]);
}
