/** How much more a read has to open and to keep than of a table with one file for each bucket and one row for each entity. Pure. */

/** A data file as far as it counts here. */
export interface CountedFile {
  readonly specId: number;
  /** Null: the file has no partition, and every read opens it. */
  readonly bucket: string | number | null;
  readonly rows: bigint;
}

export interface ReadAmplification {
  /** Files that a read of one entity opens: those of a bucket, on average, and all without a partition; 1 at best, 0 without files. */
  readonly filesPerRead: number;
  /** Rows for each row of the largest files of the buckets, which have about one row of each entity; 1 at best, 0 without rows. */
  readonly rowsPerEntity: number;
}

interface Bucket {
  files: number;
  largest: bigint;
}

export function readAmplification(files: Iterable<CountedFile>): ReadAmplification {
  const specs = new Map<number, Map<string | number, Bucket>>();
  const shared: Bucket = { files: 0, largest: 0n };
  let rows = 0n;
  for (const file of files) {
    rows += file.rows;
    const bucket = file.bucket === null ? shared : bucketIn(specs, file.specId, file.bucket);
    bucket.files += 1;
    if (file.rows > bucket.largest) bucket.largest = file.rows;
  }
  // An entity may have rows in a bucket of each spec.
  const ofSpecs = [...specs.values()].map((buckets) => [...buckets.values()]);
  const ofBuckets = ofSpecs.map((buckets) => buckets.reduce((sum, bucket) => sum + bucket.files, 0) / buckets.length);
  const largest = ofSpecs.flat().reduce((sum, bucket) => sum + bucket.largest, 0n) || shared.largest;
  return {
    filesPerRead: shared.files + ofBuckets.reduce((sum, count) => sum + count, 0),
    rowsPerEntity: largest === 0n ? 0 : Number(rows) / Number(largest),
  };
}

function bucketIn(specs: Map<number, Map<string | number, Bucket>>, specId: number, name: string | number): Bucket {
  const buckets = specs.get(specId) ?? new Map<string | number, Bucket>();
  specs.set(specId, buckets);
  const bucket = buckets.get(name) ?? { files: 0, largest: 0n };
  buckets.set(name, bucket);
  return bucket;
}
