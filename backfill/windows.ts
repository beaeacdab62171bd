/** A range of event times cut into windows of one length. Times are microseconds since the epoch. */
import { formatTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { formatDurationMs } from '../features/index.js';

/** `[startUs, endUs)`, in windows of `stepUs`. */
export interface WindowRange {
  readonly startUs: bigint;
  readonly endUs: bigint;
  readonly stepUs: bigint;
}

/** More windows than this are a mistake in the step. */
const MAX_WINDOWS = 1_000_000n;

/**
 * @throws INVALID_ARGUMENT for a start that is not before the end, a step that is not positive or does not divide the range (naming the
 * nearest ends that it would), or too many windows
 */
export function requireWindowRange({ startUs, endUs, stepUs }: WindowRange): void {
  const [start, end] = [formatTimeUs(startUs), formatTimeUs(endUs)];
  if (startUs > endUs) throw invalid(`The range starts (${start}) after it ends (${end}). Exchange start and end.`);
  if (startUs === endUs) throw invalid(`The range is empty: it starts and ends at ${start}.`);
  if (stepUs <= 0n) throw invalid('The step must be longer than nothing.');
  const rest = (endUs - startUs) % stepUs;
  if (rest !== 0n) {
    const before = endUs - rest;
    const after = formatTimeUs(before + stepUs);
    const ends = before === startUs ? after : `${formatTimeUs(before)} or ${after}`;
    const step = formatDurationMs(stepUs / 1000n);
    throw invalid(`The step ${step} does not divide the range ${start} to ${end}: end it at ${ends}.`);
  }
  const count = (endUs - startUs) / stepUs;
  if (count > MAX_WINDOWS)
    throw invalid(`The range has ${count} windows, more than ${MAX_WINDOWS}: take a longer step.`);
}

export function windowCount({ startUs, endUs, stepUs }: WindowRange): number {
  return Number((endUs - startUs) / stepUs);
}

/** The interval of the windows `first` to `last`, both included. */
export function windowAt(
  { startUs, stepUs }: WindowRange,
  first: number,
  last = first,
): { readonly startUs: bigint; readonly endUs: bigint } {
  return { startUs: startUs + BigInt(first) * stepUs, endUs: startUs + BigInt(last + 1) * stepUs };
}

const invalid = (message: string): MoraineError => new MoraineError('INVALID_ARGUMENT', message);
