/**
 * Which files of an online table are rewritten together. Pure. ADR 0039 and ADR 0043 say why the order of rows holds.
 *
 * Rows of an entity that tie in event time are in the files of one partition and in files without a partition. The oldest file without a
 * partition is the cut: all files without a partition, and files of partitions that are as young, are folded together; older files are
 * rewritten partition by partition, many small ones with one statement, and their new files stay older than the cut. Where partitions have hours, `latest` takes all hours of a
 * bucket together once many rows came on top: a row of a later hour supersedes those of earlier ones.
 */
import { largest } from '../../errors/index.js';
import { isUnpartitioned, type PartitionSpec } from '../../iceberg/index.js';
import { bucketOf, isFew, type PlacingColumns, partitionPlaces } from '../../online/index.js';
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
  /** Most bytes of buckets that are rewritten together. */
  readonly bundledBytes: number;
  /** The spec of new files; undefined: the table's default is of no strategy for online tables. */
  readonly spec: PartitionSpec | undefined;
  readonly columns: PlacingColumns;
  /** Whether of the rows of an entity only the newest stays. */
  readonly isLatest: boolean;
}

/** `latest` rewrites files of an online table once a read of one entity opens so many. */
export const LATEST_MIN_FILES = 4;
/** `latest` rewrites a bucket once it has so many rows for each row of its largest file. */
export const LATEST_MIN_ROW_RATIO = 1.5;
/** Rows stay in files without a partition as long as the table has so many times more, however many they are. */
const SHARED_RATIO = 8n;
/** A file that stays so is left alone while it has more than so many times the rows of all younger ones. */
const TIER_RATIO = 2n;
/** A table of at most so many bytes may be folded as a whole, by one statement. */
const WHOLE_TABLE_BYTES = 2 ** 30;
/** From so many buckets on they are rewritten together: a statement for each would cost more than their rows. */
const MIN_BUNDLED = 16;
/** So many bytes, at most. */
const BUNDLED_BYTES = 2 ** 27;
/** A group takes no more buckets once it has so many files: one statement opens them all. */
const BUNDLED_FILES = 2_000;
/** The other strategies rewrite files of an online table from so many on. */
const OTHER_MIN_FILES = 5;

export function onlineGrouping(
  { strategy, dropExpired, targetSizeBytes, maxBytes = Number.POSITIVE_INFINITY }: CompactRequest,
  spec: PartitionSpec | undefined,
  columns: PlacingColumns,
): OnlineGrouping {
  const isLatest = strategy === 'latest';
  return {
    minFiles: dropExpired === true ? 1 : isLatest ? LATEST_MIN_FILES : OTHER_MIN_FILES,
    minRowRatio: isLatest ? LATEST_MIN_ROW_RATIO : Number.POSITIVE_INFINITY,
    targetBytes: targetSizeBytes ?? DEFAULT_TARGET_BYTES,
    // What does not fit into a budget is passed over.
    bundledBytes: Math.min(BUNDLED_BYTES, maxBytes / 4),
    spec,
    columns,
    isLatest,
  };
}

/** Which files a grouping leaves alone, as a clause. */
export function groupingText({ minFiles, minRowRatio }: OnlineGrouping): string {
  const rows = Number.isFinite(minRowRatio) ? `, ${minRowRatio} times the rows of its largest file` : '';
  return `no bucket or hour has ${minFiles} files${rows}, or deleted rows`;
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
  const { spec } = grouping;
  const shared = all.filter((planned) => isUnpartitioned(planned.spec));
  const parted = all.filter((planned) => !isUnpartitioned(planned.spec));
  const specs = new Set(parted.map((planned) => planned.spec.specId));
  if (shared.length > 0 && spec !== undefined) specs.add(spec.specId);
  if (specs.size > 1 || (shared.length > 0 && spec === undefined)) return SEVERAL_SPECS;
  const cut = oldestOf(shared);
  const isYoung = ({ sequenceNumber }: PlannedFile): boolean => cut !== null && sequenceNumber >= cut;
  const folded = shared.some(isAsked) ? foldOf(shared, parted, isYoung, grouping) : null;
  const taken = new Set(folded?.files);
  const left = parted.filter((planned) => !isYoung(planned) && !taken.has(planned));
  const number = cut === null ? {} : { sequenceNumber: cut - 1n };
  const byHours = hoursOfBuckets(left, isAsked, grouping).map((group): FileGroup => ({ ...group, ...number }));
  for (const { files } of byHours) for (const file of files) taken.add(file);
  const old = byPartition(left.filter((planned) => !taken.has(planned) && isAsked(planned)));
  const groups = [...old.values()]
    .filter((files) => isWorthIt(files, grouping))
    .map(
      (files): FileGroup => ({
        files: files.toSorted(bySequence),
        outputs: outputsOf(files, grouping.targetBytes),
        ...number,
      }),
    );
  return mostGainFirst([...(folded === null ? [] : [folded]), ...byHours, ...bundled(groups, grouping)]);
}

/** Groups of single buckets, many of them as one group that is written into their spec. */
function bundled(
  groups: readonly FileGroup[],
  { isLatest, columns, bundledBytes }: OnlineGrouping,
): readonly FileGroup[] {
  const spec = groups[0]?.files[0]?.spec;
  if (!isLatest || spec === undefined || partitionPlaces(spec, columns) === undefined) return groups;
  const isSmall = ({ files, outputs }: FileGroup): boolean => outputs === 1 && bytesOf(files) <= bundledBytes;
  const small = groups.filter(isSmall);
  if (small.length < MIN_BUNDLED) return groups;
  const bundles: { readonly first: FileGroup; readonly files: PlannedFile[]; bytes: number }[] = [];
  for (const group of small) {
    const bytes = bytesOf(group.files);
    const last = bundles.at(-1);
    if (last === undefined || last.bytes + bytes > bundledBytes || last.files.length >= BUNDLED_FILES) {
      bundles.push({ first: group, files: [...group.files], bytes });
      continue;
    }
    for (const planned of group.files) last.files.push(planned);
    last.bytes += bytes;
  }
  return [
    ...bundles.map(({ first, files }): FileGroup => ({ ...first, files, into: spec })),
    ...groups.filter((group) => !isSmall(group)),
  ];
}

/**
 * All hours of a bucket (of the table, if it has no buckets), where rows that came later are as many as `latest` acts from: half as many as
 * those of the oldest commit, which are about one of each entity.
 */
function hoursOfBuckets(
  files: readonly PlannedFile[],
  isAsked: (planned: PlannedFile) => boolean,
  { isLatest, spec, columns, minRowRatio, targetBytes }: OnlineGrouping,
): readonly FileGroup[] {
  const places = spec === undefined ? undefined : partitionPlaces(spec, columns);
  if (!isLatest || spec === undefined || places?.hour === undefined) return [];
  const buckets = new Map<number | undefined, PlannedFile[]>();
  for (const planned of files) {
    const bucket = bucketOf(places, planned.file.partition);
    const those = buckets.get(bucket) ?? [];
    buckets.set(bucket, those);
    those.push(planned);
  }
  return [...buckets.values()].flatMap((those): readonly FileGroup[] => {
    const oldest = oldestOf(those);
    const first = rowsOf(those.filter(({ sequenceNumber }) => sequenceNumber === oldest));
    const isWorth = Number(rowsOf(those)) >= minRowRatio * Number(first);
    if (!isWorth || bytesOf(those) > WHOLE_TABLE_BYTES || !those.every(isAsked)) return [];
    return [{ files: those.toSorted(bySequence), outputs: outputsOf(those, targetBytes), into: spec }];
  });
}

/** Sequence number of the oldest file; null: there is none. */
function oldestOf(files: readonly PlannedFile[]): bigint | null {
  return files.reduce<bigint | null>(
    (least, { sequenceNumber: of }) => (least === null || of < least ? of : least),
    null,
  );
}

/**
 * Files without a partition with the files of partitions that are as young; null: too few to be worth it. Few rows beside many stay in files without a
 * partition. Many rows beside few take these along, so that the table is folded as a whole.
 */
function foldOf(
  shared: readonly PlannedFile[],
  parted: readonly PlannedFile[],
  isYoung: (planned: PlannedFile) => boolean,
  { minFiles, minRowRatio, targetBytes, spec }: OnlineGrouping,
): FileGroup | null {
  const recent = [...shared, ...parted.filter(isYoung)];
  const all = [...shared, ...parted];
  const isWorth = recent.length >= Math.min(2, minFiles) && filesPerRead(all) >= minFiles;
  if (!isWorth && !recent.some(({ deletes }) => deletes !== undefined)) return null;
  const [rows, oldRows] = [rowsOf(recent), rowsOf(all) - rowsOf(recent)];
  const isAtLeast = (ratio: number): boolean => Number(rows) > (ratio - 1) * Number(oldRows);
  const takesAll = isAtLeast(minRowRatio) && bytesOf(all) <= WHOLE_TABLE_BYTES;
  const areFew = rows * SHARED_RATIO <= oldRows || (isFew(rows) && !isAtLeast(LATEST_MIN_ROW_RATIO));
  const into = areFew ? shared[0]?.spec : spec;
  const tier = areFew ? youngestOf(recent, (taken) => filesPerRead(without(all, taken)) + 1 < minFiles) : recent;
  const files = (takesAll ? all : tier).toSorted(bySequence);
  return into === undefined ? null : { files, outputs: outputsOf(files, targetBytes), into };
}

/**
 * The youngest of the files to fold, if they become one file: as many as have about equally many rows, so that a row is written anew only when those that came
 * after it are nearly as many. All of them, if any has deleted rows. What is left is older than every row of the new file, as before.
 * @param isEnough whether reads open few files once these are one
 */
function youngestOf(
  recent: readonly PlannedFile[],
  isEnough: (taken: readonly PlannedFile[]) => boolean,
): readonly PlannedFile[] {
  if (recent.some(({ deletes }) => deletes !== undefined)) return recent;
  const sorted = recent.toSorted(bySequence);
  for (let [first, rows] = [sorted.length - 1, 0n]; first > 0; first -= 1) {
    const [older, oldest] = [sorted[first - 1] as PlannedFile, sorted[first] as PlannedFile];
    rows += oldest.file.recordCount;
    const isTier = older.file.recordCount > TIER_RATIO * rows && older.sequenceNumber < oldest.sequenceNumber;
    const taken = sorted.slice(first);
    if (isTier && taken.length > 1 && isEnough(taken)) return taken;
  }
  return sorted;
}

/** Files that a read of one entity opens, at most: all without a partition, and those of one partition. */
function filesPerRead(files: readonly PlannedFile[]): number {
  const [shared, parted] = [[] as PlannedFile[], [] as PlannedFile[]];
  for (const planned of files) (isUnpartitioned(planned.spec) ? shared : parted).push(planned);
  return shared.length + mostInOnePartition(parted);
}

function without(files: readonly PlannedFile[], taken: readonly PlannedFile[]): readonly PlannedFile[] {
  const gone = new Set(taken);
  return files.filter((planned) => !gone.has(planned));
}

function mostInOnePartition(files: readonly PlannedFile[]): number {
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
