/** What a sink has written and left out, as people read it. */
import { countedText } from '../../errors/index.js';
import type { SinkCommit, SinkMetrics } from '../../sink/index.js';
import { type CommandContext, printJson } from '../context.js';
import { printable } from './output.js';

/** Left out records that are named, of each run. */
const NAMED_RECORDS = 10;

/** Shows commits as they come. @param texts what is said of records that are no rows, and of rows */
export function commitReporter(
  { note, progress }: CommandContext,
  { rejected: left, rows: done } = { rejected: 'left out', rows: 'committed' },
): (commit: Pick<SinkCommit, 'rows' | 'rejected'>) => void {
  let rows = 0n;
  let named = 0;
  return (commit) => {
    rows += commit.rows;
    for (const { message, reason } of commit.rejected)
      if ((named += 1) <= NAMED_RECORDS) note(`${left}: ${message} [${reason}]`);
    progress.update(`${countedText(rows, 'row')} ${done}`);
  };
}

/** Shows how far a sink is, and prints it as lines of JSON where they are asked for. */
export class ProgressReport {
  readonly #context: CommandContext;
  readonly #isJson: boolean;
  #printed: Promise<void> = Promise.resolve();

  constructor(context: CommandContext, isJson: boolean) {
    this.#context = context;
    this.#isJson = isJson;
  }

  /** @param lag how far it is behind, as people read it */
  tell(progress: SinkMetrics, lag: string): void {
    const { committedRows, bufferedRecords } = progress;
    this.#context.progress.update(
      `${countedText(committedRows, 'row')} committed, ${countedText(bufferedRecords, 'record')} waiting, ${lag} behind`,
    );
    if (!this.#isJson) return;
    this.#printed = this.#printed.then(() => printJson(this.#context, { progress: progressJson(progress) }));
    // Met where it is waited for.
    this.#printed.catch(() => undefined);
  }

  /** Waits until all lines are printed. */
  async end(): Promise<void> {
    this.#context.progress.clear();
    await this.#printed;
  }
}

function progressJson({ lastCommitAtMs, ...others }: SinkMetrics): object {
  const numbers = Object.entries(others).map(([name, value]) => [
    name,
    typeof value === 'bigint' ? Number(value) : value,
  ]);
  const lastCommitAt = lastCommitAtMs === null ? null : new Date(lastCommitAtMs).toISOString();
  return { ...(Object.fromEntries(numbers) as object), lastCommitAt };
}

/** What a run has done. */
export interface SinkTotals {
  readonly rows: bigint;
  readonly commits: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly snapshotId: bigint | null;
  readonly isInterrupted: boolean;
}

export const writtenText = (table: string, { snapshotId, rows, commits }: SinkTotals): string =>
  snapshotId === null
    ? `${printable(table)}: nothing new.\n`
    : `${printable(table)}: wrote ${countedText(rows, 'row')} in ${countedText(commits, 'commit')}, snapshot ${snapshotId}.\n`;

/** What is promised of standard input. */
export const AT_LEAST_ONCE_TEXT =
  'Standard input has no positions: its records are written at least once, and again if they are sent again.\n';

/** Empty if nothing was left out. @param deadLetters where such records went */
export function leftOutText({ rejected }: SinkTotals, deadLetters: string | undefined): string {
  const left = reasonsText(rejected);
  if (left === null) return '';
  return `${deadLetters === undefined ? 'Left out' : `To ${printable(deadLetters)}`}: ${left}.\n`;
}

/** Empty if an upsert has left out none. @param what they are */
export const supersededText = (count: bigint, what: string): string =>
  count === 0n ? '' : `Below or before other rows of their keys: ${countedText(count, what)}.\n`;

/** Counts of records by reason; null: there are none. */
export function reasonsText(rejected: Readonly<Record<string, number>>): string | null {
  const reasons = Object.entries(rejected);
  if (reasons.length === 0) return null;
  const count = reasons.reduce((sum, [, records]) => sum + records, 0);
  return `${countedText(count, 'record')} (${reasons.map(([reason, records]) => `${reason} ${records}`).join(', ')})`;
}
