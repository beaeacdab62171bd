/**
 * Which files of an online table are rewritten together. Pure. ADR 0039 says why the order of rows holds.
 *
 * An entity has rows in the files of its bucket and in files without a partition. The oldest file without a partition is the cut: all files
 * without a partition, and files of buckets that are as young, are folded together; older files are rewritten bucket by bucket, and their new
 * files stay older than the cut.
 */
import { largest } from '../../errors/index.js';
import { isUnpartitioned, type PartitionSpec } from '../../iceberg/index.js';
import { isFew } from '../../online/index.js';
import type { PlannedFile } from '../../tables/index.js';
import { byPartition, bySequence, bytesOf, type FileGroup, mostGainFirst, outputsOf } from './compact-groups.js';
import { type CompactRequest, DEFAULT_TARGET_BYTES } from './compact-request.js';

/** From how much on the files of a bucket are rewritten. */
export interface OnlineGrouping {
  /** Files that a read opens. */
  readonly minFiles: number;
  /** Rows for each row of the bucket's largest file. */
  readonly minRowRatio: number;
  readonly targetBytes: number;
  /** The spec of new files; undefined: the table's default is not a bucket of the entity's key. */
  readonly bucketSpec: PartitionSpec | undefined;
}

/** `latest` rewrites files of an online table once a read of one entity opens so many. */
export const LATEST_MIN_FILES = 4;
/** `latest` rewrites a bucket once it has so many rows for each row of its largest file. */
export const LATEST_MIN_ROW_RATIO = 1.5;
/** A table of at most so many bytes may be folded as a whole, by one statement. */
const WHOLE_TABLE_BYTES = 2 ** 30;
/** The other strategies rewrite files of an online table from so many on. */
const OTHER_MIN_FILES = 5;

export function onlineGrouping(
  { strategy, dropExpired, targetSizeBytes }: CompactRequest,
  bucketSpec: PartitionSpec | undefined,
): OnlineGrouping {
  const isLatest = strategy === 'latest';
  return {
    minFiles: dropExpired === true ? 1 : isLatest ? LATEST_MIN_FILES : OTHER_MIN_FILES,
    minRowRatio: isLatest ? LATEST_MIN_ROW_RATIO : Number.POSITIVE_INFINITY,
    targetBytes: targetSizeBytes ?? DEFAULT_TARGET_BYTES,
    bucketSpec,
  };
}

/** Which files a grouping leaves alone, as a clause. */
export function groupingText({ minFiles, minRowRatio }: OnlineGrouping): string {
  const rows = Number.isFinite(minRowRatio) ? `, ${minRowRatio} times the rows of its largest file` : '';
  return `no bucket has ${minFiles} files${rows}, or deleted rows`;
}

/** Why no files of a table are rewritten at all. */
export const SEVERAL_SPECS =
  'an entity may have rows in buckets of several partition specs: materialize the view first';

/**
 * Groups worth rewriting, or why there can be none. They may be committed one by one, in any order.
 * @param all live files of the table
 * @param isAsked files of other partitions are left alone
 */
export function onlineGroups(
  all: readonly PlannedFile[],
  isAsked: (planned: PlannedFile) => boolean,
  grouping: OnlineGrouping,
): readonly FileGroup[] | typeof SEVERAL_SPECS {
  const { bucketSpec } = grouping;
  const shared = all.filter(({ spec }) => isUnpartitioned(spec));
  const ofBuckets = all.filter(({ spec }) => !isUnpartitioned(spec));
  const specs = new Set(ofBuckets.map(({ spec }) => spec.specId));
  if (shared.length > 0 && bucketSpec !== undefined) specs.add(bucketSpec.specId);
  if (specs.size > 1 || (shared.length > 0 && bucketSpec === undefined)) return SEVERAL_SPECS;
  const cut = oldestOf(shared);
  const isYoung = ({ sequenceNumber }: PlannedFile): boolean => cut !== null && sequenceNumber >= cut;
  const folded = shared.some(isAsked) ? foldOf(shared, ofBuckets, isYoung, grouping) : null;
  const isFolded = new Set(folded?.files);
  const old = byPartition(
    ofBuckets.filter((planned) => !isYoung(planned) && !isFolded.has(planned) && isAsked(planned)),
  );
  const groups = [...old.values()]
    .filter((files) => isWorthIt(files, grouping))
    .map(
      (files): FileGroup => ({
        files: files.toSorted(bySequence),
        outputs: outputsOf(files, grouping.targetBytes),
        ...(cut === null ? {} : { sequenceNumber: cut - 1n }),
      }),
    );
  return mostGainFirst(folded === null ? groups : [folded, ...groups]);
}

/** Sequence number of the oldest file; null: there is none. */
function oldestOf(files: readonly PlannedFile[]): bigint | null {
  return files.reduce<bigint | null>(
    (least, { sequenceNumber: of }) => (least === null || of < least ? of : least),
    null,
  );
}

/**
 * Files without a partition with the files of buckets that are as young; null: too few to be worth it. Few rows beside many stay in one file. Many rows
 * beside few take these along, so that the table is folded as a whole.
 */
function foldOf(
  shared: readonly PlannedFile[],
  ofBuckets: readonly PlannedFile[],
  isYoung: (planned: PlannedFile) => boolean,
  { minFiles, minRowRatio, targetBytes, bucketSpec }: OnlineGrouping,
): FileGroup | null {
  const recent = [...shared, ...ofBuckets.filter(isYoung)];
  const isWorth = recent.length >= Math.min(2, minFiles) && shared.length + mostInOneBucket(ofBuckets) >= minFiles;
  if (!isWorth && !recent.some(({ deletes }) => deletes !== undefined)) return null;
  const all = [...shared, ...ofBuckets];
  const [rows, oldRows] = [rowsOf(recent), rowsOf(all) - rowsOf(recent)];
  const isAtLeast = (ratio: number): boolean => Number(rows) > (ratio - 1) * Number(oldRows);
  const takesAll = isAtLeast(minRowRatio) && bytesOf(all) <= WHOLE_TABLE_BYTES;
  const staysShared = isFew(rows) && !isAtLeast(LATEST_MIN_ROW_RATIO);
  const into = staysShared ? shared[0]?.spec : bucketSpec;
  const files = (takesAll ? all : recent).toSorted(bySequence);
  return into === undefined ? null : { files, outputs: outputsOf(files, targetBytes), into };
}

function mostInOneBucket(files: readonly PlannedFile[]): number {
  return largest(
    [...byPartition(files).values()].map(({ length }) => length),
    0,
  );
}

function rowsOf(files: readonly PlannedFile[]): bigint {
  return files.reduce((sum, { file }) => sum + file.recordCount, 0n);
}

function isWorthIt(files: readonly PlannedFile[], { minFiles, minRowRatio }: OnlineGrouping): boolean {
  if (files.length >= minFiles || files.some(({ deletes }) => deletes !== undefined)) return true;
  const mostRows = largest(files.map(({ file }) => Number(file.recordCount)));
  return files.length > 1 && Number(rowsOf(files)) >= minRowRatio * mostRows;
}
