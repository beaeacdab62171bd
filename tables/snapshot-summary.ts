/** The counters of a snapshot summary. Source: Apache Iceberg specification, Appendix F "Optional Snapshot Summary Fields". */
import { type DataFile, type PartitionSpec, partitionPath, type Schema, type Snapshot } from '../iceberg/index.js';

/** Data files that a commit adds and removes. */
export interface FileChanges {
  readonly added: readonly DataFile[];
  readonly removed: readonly DataFile[];
}

interface Totals {
  readonly files: bigint;
  readonly records: bigint;
  readonly bytes: bigint;
}

function totalsOf(files: readonly DataFile[]): Totals {
  let records = 0n;
  let bytes = 0n;
  for (const file of files) {
    records += file.recordCount;
    bytes += file.fileSizeInBytes;
  }
  return { files: BigInt(files.length), records, bytes };
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
  const added = totalsOf(changes.added);
  const removed = totalsOf(changes.removed);
  return new Map<string, string>([
    ['operation', operation],
    ...counter('added-data-files', added.files),
    ...counter('added-records', added.records),
    ...counter('added-files-size', added.bytes),
    ...counter('deleted-data-files', removed.files),
    ...counter('deleted-records', removed.records),
    ...counter('removed-files-size', removed.bytes),
    ['changed-partition-count', changedPartitions(changes, specs, schema).toString()],
    ...carry(parent, 'total-records', added.records - removed.records),
    ...carry(parent, 'total-files-size', added.bytes - removed.bytes),
    ...carry(parent, 'total-data-files', added.files - removed.files),
    ...carry(parent, 'total-delete-files', 0n),
    ...carry(parent, 'total-position-deletes', 0n),
    ...carry(parent, 'total-equality-deletes', 0n),
  ]);
}
