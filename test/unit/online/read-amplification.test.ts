import { expect, it } from 'vitest';
import { type CountedFile, readAmplification } from '../../../online/index.js';

const file = (specId: number, bucket: number | null, rows: bigint): CountedFile => ({ specId, bucket, rows });

it('a file for each bucket is one file and one row for each entity', () => {
  expect(readAmplification([file(0, 0, 10n), file(0, 1, 30n)])).toEqual({ filesPerRead: 1, rowsPerEntity: 1 });
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
  expect(readAmplification(files)).toEqual({ filesPerRead: 4, rowsPerEntity: 2.5 });
});

it('a read opens a bucket of each spec', () => {
  const files = [file(0, 0, 10n), file(2, 0, 10n), file(2, 0, 10n)];
  expect(readAmplification(files)).toEqual({ filesPerRead: 3, rowsPerEntity: 1.5 });
});

it('without buckets the largest file counts, and without files nothing does', () => {
  expect(readAmplification([file(1, null, 4n), file(1, null, 2n)])).toEqual({ filesPerRead: 2, rowsPerEntity: 1.5 });
  expect(readAmplification([file(0, 0, 0n)])).toEqual({ filesPerRead: 1, rowsPerEntity: 0 });
  expect(readAmplification([])).toEqual({ filesPerRead: 0, rowsPerEntity: 0 });
});
