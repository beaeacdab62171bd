/** The health of a table: how far its files are from what readers would like. */
import { currentSnapshot, type DataFile, partitionKey } from '../iceberg/index.js';
import { type CountedFile, countedFile, type ReadAmplification, readAmplification } from '../online/index.js';
import { readManifestEntries, readSnapshotManifests, requireSpec, type Table } from '../tables/index.js';
import { onlineRowsOf } from './compaction/compact-online.js';
import { DEFAULT_TARGET_BYTES } from './compaction/compact-request.js';

/** A file below this part of the target size is small, if its partition has others that it could be packed with. */
const SMALL_PART = 0.75;

/** Figures of the current snapshot; ages are in milliseconds, null where the table has no snapshot. */
export interface TableHealth {
  readonly dataFiles: number;
  readonly dataBytes: bigint;
  readonly rows: bigint;
  readonly partitions: number;
  /** Data files for each file that there would be if every partition were packed to the target size; 1 at best, 0 without files. */
  readonly amplification: number;
  /** Of an online table, what reads of one entity pay; null for other tables. */
  readonly reads: ReadAmplification | null;
  readonly smallFiles: number;
  readonly deleteFiles: number;
  /** Rows of delete files and vectors for each row of the data files; an upper bound of the part that is deleted. */
  readonly deleteRatio: number;
  readonly manifests: number;
  readonly snapshots: number;
  readonly oldestSnapshotAgeMs: bigint | null;
  /** How long ago the table last changed. */
  readonly freshnessMs: bigint | null;
}

/**
 * Reads the manifests of the current snapshot, and no data.
 * @param nowMs milliseconds since the epoch
 */
export async function tableHealth(table: Table, nowMs: bigint): Promise<TableHealth> {
  const { io, metadata } = table;
  const snapshot = currentSnapshot(metadata);
  const manifests = await readSnapshotManifests(io, snapshot);
  const tally = new Tally(targetBytes(table));
  const online = onlineRowsOf(metadata, table.identifier.name);
  const counted: CountedFile[] = [];
  for (const manifest of manifests) {
    for (const { status, dataFile, sequenceNumber } of await readManifestEntries(io, metadata, manifest)) {
      if (status === 'deleted') continue;
      tally.add(dataFile);
      if (online === null || dataFile.content !== 'data') continue;
      const spec = requireSpec(metadata, dataFile.specId);
      counted.push(countedFile(dataFile, spec, sequenceNumber ?? 0n, online));
    }
  }
  const times = metadata.snapshots.map(({ timestampMs }) => timestampMs);
  const oldest = times.reduce<bigint | null>((least, time) => (least === null || time < least ? time : least), null);
  return {
    ...tally.figures(),
    reads: online === null ? null : readAmplification(counted),
    manifests: manifests.length,
    snapshots: metadata.snapshots.length,
    oldestSnapshotAgeMs: oldest === null ? null : ageMs(nowMs, oldest),
    freshnessMs: snapshot === null ? null : ageMs(nowMs, snapshot.timestampMs),
  };
}

/** Clocks differ: what is in the future is new. */
const ageMs = (nowMs: bigint, timeMs: bigint): bigint => (nowMs > timeMs ? nowMs - timeMs : 0n);

function targetBytes({ metadata }: Table): bigint {
  const text = metadata.properties.get('write.target-file-size-bytes') ?? '';
  return /^[1-9]\d{0,17}$/.test(text) ? BigInt(text) : BigInt(DEFAULT_TARGET_BYTES);
}

interface Partition {
  files: number;
  bytes: bigint;
  small: number;
}

/** Sums over live files. */
class Tally {
  readonly #target: bigint;
  readonly #partitions = new Map<string, Partition>();
  readonly #deleteFiles = new Set<string>();
  #rows = 0n;
  #deletedRows = 0n;

  constructor(target: bigint) {
    this.#target = target;
  }

  add(file: DataFile): void {
    if (file.content !== 'data') {
      this.#deleteFiles.add(`${file.filePath}#${file.contentOffset ?? ''}`);
      this.#deletedRows += file.recordCount;
      return;
    }
    this.#rows += file.recordCount;
    const key = partitionKey(file.specId, file.partition);
    const partition = this.#partitions.get(key) ?? { files: 0, bytes: 0n, small: 0 };
    this.#partitions.set(key, partition);
    partition.files += 1;
    partition.bytes += file.fileSizeInBytes;
    if (Number(file.fileSizeInBytes) < SMALL_PART * Number(this.#target)) partition.small += 1;
  }

  figures() {
    const partitions = [...this.#partitions.values()];
    const sum = (of: (partition: Partition) => number): number =>
      partitions.reduce((total, partition) => total + of(partition), 0);
    const dataFiles = sum(({ files }) => files);
    const ideal = sum(({ bytes }) => Math.max(1, Number((bytes + this.#target - 1n) / this.#target)));
    return {
      dataFiles,
      dataBytes: partitions.reduce((total, { bytes }) => total + bytes, 0n),
      rows: this.#rows,
      partitions: partitions.length,
      amplification: ideal === 0 ? 0 : dataFiles / ideal,
      smallFiles: sum(({ small, files }) => (files > 1 ? small : 0)),
      deleteFiles: this.#deleteFiles.size,
      deleteRatio: this.#rows === 0n ? 0 : Number(this.#deletedRows) / Number(this.#rows),
    };
  }
}
