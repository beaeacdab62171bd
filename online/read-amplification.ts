/** How much more a read has to open and to keep than of a table with one file for each bucket and one row for each entity. Pure. */
import { largest } from '../errors/index.js';
import type { DataFile, PartitionSpec } from '../iceberg/index.js';
import { bucketOf, hourOf, type PlacingColumns, partitionPlaces } from './online-partitioning.js';

/** A data file as far as it counts here. With neither bucket nor hour it may have rows of any key, and every read opens it. */
export interface CountedFile {
  readonly specId: number;
  /** Undefined: it has rows of any. */
  readonly bucket: number | undefined;
  /** The earliest event time of its hour, in microseconds. Undefined: it has rows of any. */
  readonly hourUs: bigint | undefined;
  readonly rows: bigint;
  /** The data sequence number. */
  readonly sequenceNumber: bigint;
}

export interface ReadAmplification {
  /**
   * Files that a read opens of an entity that is absent, or has not changed for long: those of a bucket in all hours, on average, and all without a
   * partition; 1 at best without hours, 0 without files.
   */
  readonly filesPerRead: number;
  /** The same, but of a bucket with hours those of the hour that has most: what compaction of each hour brings to 1. */
  readonly filesPerPartition: number;
  /**
   * Rows for each row of the largest files of the buckets, which have about one row of each entity. In buckets with hours the oldest commit stands for
   * it. 1 at best, 0 without rows.
   */
  readonly rowsPerEntity: number;
}

/** Files of a bucket, in all hours. */
class Bucket {
  readonly #hours = new Map<bigint | undefined, number>();
  #largest = 0n;
  #oldest: { readonly sequenceNumber: bigint; readonly rows: bigint } | undefined;
  files = 0;

  add({ hourUs, rows, sequenceNumber }: CountedFile): void {
    this.files += 1;
    this.#hours.set(hourUs, (this.#hours.get(hourUs) ?? 0) + 1);
    if (rows > this.#largest) this.#largest = rows;
    const oldest = this.#oldest;
    if (oldest === undefined || sequenceNumber < oldest.sequenceNumber) this.#oldest = { sequenceNumber, rows };
    else if (sequenceNumber === oldest.sequenceNumber) this.#oldest = { sequenceNumber, rows: oldest.rows + rows };
  }

  get mostInOneHour(): number {
    return largest([...this.#hours.values()], 0);
  }

  /** About one of each entity. An entity has a row in one hour of a commit, so no file of hours has all of them. */
  get rowsOfEntities(): bigint {
    const hasHours = [...this.#hours.keys()].some((hourUs) => hourUs !== undefined);
    return hasHours ? (this.#oldest?.rows ?? 0n) : this.#largest;
  }
}

export function readAmplification(files: Iterable<CountedFile>): ReadAmplification {
  const specs = new Map<number, Map<number | undefined, Bucket>>();
  const shared = new Bucket();
  let rows = 0n;
  for (const file of files) {
    rows += file.rows;
    const isShared = file.bucket === undefined && file.hourUs === undefined;
    (isShared ? shared : bucketIn(specs, file)).add(file);
  }
  // An entity may have rows in a bucket of each spec.
  const ofSpecs = [...specs.values()].map((buckets) => [...buckets.values()]);
  const average = (of: (bucket: Bucket) => number): number =>
    ofSpecs.reduce((sum, buckets) => sum + buckets.reduce((all, bucket) => all + of(bucket), 0) / buckets.length, 0);
  const entities = ofSpecs.flat().reduce((sum, bucket) => sum + bucket.rowsOfEntities, 0n) || shared.rowsOfEntities;
  return {
    filesPerRead: shared.files + average(({ files }) => files),
    filesPerPartition: shared.files + average(({ mostInOneHour }) => mostInOneHour),
    rowsPerEntity: entities === 0n ? 0 : Number(rows) / Number(entities),
  };
}

/** A data file of an online table, by the partition that it is in. */
export function countedFile(
  { partition, recordCount: rows }: Pick<DataFile, 'partition' | 'recordCount'>,
  spec: PartitionSpec,
  sequenceNumber: bigint,
  columns: PlacingColumns,
): CountedFile {
  const places = partitionPlaces(spec, columns);
  const [bucket, hour] = [bucketOf(places, partition), hourOf(places, partition)];
  return { specId: spec.specId, bucket, hourUs: hour?.earliestUs, rows, sequenceNumber };
}

function bucketIn(specs: Map<number, Map<number | undefined, Bucket>>, { specId, bucket: name }: CountedFile): Bucket {
  const buckets = specs.get(specId) ?? new Map<number | undefined, Bucket>();
  specs.set(specId, buckets);
  const bucket = buckets.get(name) ?? new Bucket();
  buckets.set(name, bucket);
  return bucket;
}
