/** How much each window of a range reads, from the files' statistics. */
import { createHash } from 'node:crypto';
import { type EventTimeColumn, eventTimeBounds } from '../materialization/index.js';
import type { PlannedFile } from '../tables/index.js';
import type { PlannedWindow } from './plan.js';
import { type WindowRange, windowCount } from './windows.js';

/**
 * The windows that may hold rows, in order. A file's rows are taken to be spread evenly over its event times; one without
 * statistics may hold rows of every window. The cost grows with files plus windows, not with their product.
 */
export function windowSizes(
  files: readonly PlannedFile[],
  column: EventTimeColumn,
  range: WindowRange,
): readonly PlannedWindow[] {
  const count = windowCount(range);
  // Changes at the windows where a file begins and ends, summed up from the left.
  const changes = {
    files: new Int32Array(count + 1),
    rows: new Float64Array(count + 1),
    bytes: new Float64Array(count + 1),
    digest: new BigUint64Array(count + 1),
  };
  for (const planned of files) addFile(changes, planned, windowsOf(planned, column, range, count));
  const windows: PlannedWindow[] = [];
  const sum = { files: 0, rows: 0, bytes: 0, digest: 0n };
  for (let index = 0; index < count; index++) {
    sum.files += changes.files[index] ?? 0;
    sum.rows += changes.rows[index] ?? 0;
    sum.bytes += changes.bytes[index] ?? 0;
    sum.digest = BigInt.asUintN(64, sum.digest + (changes.digest[index] ?? 0n));
    if (sum.files === 0) continue;
    const { files: held, rows, bytes } = sum;
    const digest = sum.digest.toString(16).padStart(16, '0');
    windows.push({
      index,
      files: held,
      rows: Math.max(0, Math.round(rows)),
      bytes: Math.max(0, Math.round(bytes)),
      digest,
    });
  }
  return windows;
}

interface FileWindows {
  readonly first: number;
  readonly last: number;
  /** Windows that all of the file is spread over, inside the range or not. */
  readonly spread: number;
}

function windowsOf(
  { file }: PlannedFile,
  column: EventTimeColumn,
  { startUs, endUs, stepUs }: WindowRange,
  count: number,
): FileWindows | null {
  const { lowerUs, upperUs } = eventTimeBounds(file, column);
  const lower = lowerUs ?? startUs;
  const upper = upperUs ?? endUs - 1n;
  if (upper < startUs || lower >= endUs) return null;
  const first = lower <= startUs ? 0 : Number((lower - startUs) / stepUs);
  const last = upper >= endUs ? count - 1 : Number((upper - startUs) / stepUs);
  return { first, last, spread: Math.max(last - first + 1, Number((upper - lower) / stepUs)) };
}

function addFile(
  changes: { files: Int32Array; rows: Float64Array; bytes: Float64Array; digest: BigUint64Array },
  planned: PlannedFile,
  windows: FileWindows | null,
): void {
  if (windows === null) return;
  const { first, last, spread } = windows;
  const { recordCount, fileSizeInBytes } = planned.file;
  const digest = fileDigest(planned);
  const after = last + 1;
  const add = (array: Int32Array | Float64Array, amount: number): void => {
    array[first] = (array[first] ?? 0) + amount;
    array[after] = (array[after] ?? 0) - amount;
  };
  add(changes.files, 1);
  add(changes.rows, Number(recordCount) / spread);
  add(changes.bytes, Number(fileSizeInBytes) / spread);
  changes.digest[first] = (changes.digest[first] ?? 0n) + digest;
  changes.digest[after] = (changes.digest[after] ?? 0n) - digest;
}

/** Digest of a file and of everything that takes rows from it. */
function fileDigest({ file, deletes }: PlannedFile): bigint {
  const vector = deletes?.vector === undefined ? [] : [deletes.vector];
  const deleteFiles = [...vector, ...(deletes?.positions ?? []), ...(deletes?.equality ?? [])];
  const names = [file.filePath, ...deleteFiles.map((deleting) => JSON.stringify(identityOf(deleting))).sort()];
  return createHash('sha256').update(names.join('\n')).digest().readBigUInt64BE();
}

function identityOf({
  file,
}: {
  readonly file: { readonly filePath: string; readonly contentOffset?: bigint };
}): readonly string[] {
  return [file.filePath, String(file.contentOffset ?? '')];
}
