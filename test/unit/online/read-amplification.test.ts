import { expect, it } from 'vitest';
import { type CountedFile, readAmplification } from '../../../online/index.js';

const HOUR_US = 3_600_000_000n;

/** A file of a bucket, or of none. */
const file = (specId: number, bucket: number | null, rows: bigint): CountedFile => ({
  specId,
  bucket: bucket ?? undefined,
  hourUs: undefined,
  rows,
  sequenceNumber: 1n,
});

/** A file of an hour that a commit wrote. */
const hourly = (hour: number, commit: number, rows: bigint, bucket?: number): CountedFile => ({
  specId: 0,
  bucket,
  hourUs: BigInt(hour) * HOUR_US,
  rows,
  sequenceNumber: BigInt(commit),
});

const without = (filesPerRead: number, rowsPerEntity: number) => ({
  filesPerRead,
  filesPerPartition: filesPerRead,
  rowsPerEntity,
});

it('a file for each bucket is one file and one row for each entity', () => {
  expect(readAmplification([file(0, 0, 10n), file(0, 1, 30n)])).toEqual(without(1, 1));
});

it('files of a bucket count on average, and each without a partition for every read', () => {
  // Buckets of 3 and 1 files, 2 files without a partition: 2 + 2. 100 rows beside 40 in the largest files.
  const files = [
    file(0, 0, 10n),
    file(0, 0, 5n),
    file(0, 0, 5n),
    file(0, 1, 30n),
    file(1, null, 25n),
    file(1, null, 25n),
  ];
  expect(readAmplification(files)).toEqual(without(4, 2.5));
});

it('a read opens a bucket of each spec', () => {
  const files = [file(0, 0, 10n), file(2, 0, 10n), file(2, 0, 10n)];
  expect(readAmplification(files)).toEqual(without(3, 1.5));
});

it('without buckets the largest file counts, and without files nothing does', () => {
  expect(readAmplification([file(1, null, 4n), file(1, null, 2n)])).toEqual(without(2, 1.5));
  expect(readAmplification([file(0, 0, 0n)])).toEqual(without(1, 0));
  expect(readAmplification([])).toEqual(without(0, 0));
});

it('a key that is absent is looked for in every hour, and each hourly run of all entities is a row more of each', () => {
  const files = Array.from({ length: 49 }, (_, hour) => hourly(hour, hour + 1, 10n));
  expect(readAmplification(files)).toEqual({ filesPerRead: 49, filesPerPartition: 1, rowsPerEntity: 49 });
});

it('of hours that one commit wrote each entity has one row', () => {
  const files = Array.from({ length: 49 }, (_, hour) => hourly(hour, 7, 10n));
  expect(readAmplification(files)).toEqual({ filesPerRead: 49, filesPerPartition: 1, rowsPerEntity: 1 });
});

it('hours count in their buckets, and the hour with most files counts for its bucket', () => {
  // Bucket 0: hours of 1, 3 and 1 files, 20 rows of the first commit. Bucket 1: one hour. A file without a partition.
  const files = [
    hourly(1, 5, 10n, 0),
    hourly(2, 5, 10n, 0),
    ...[6, 7].map((commit) => hourly(2, commit, 4n, 0)),
    hourly(3, 8, 2n, 0),
    hourly(1, 5, 10n, 1),
    { ...file(1, null, 5n), sequenceNumber: 9n },
  ];
  expect(readAmplification(files)).toEqual({ filesPerRead: 4, filesPerPartition: 3, rowsPerEntity: 1.5 });
});
