import { ApplicationFailure, CancellationScope, condition, isCancellation, patched } from '@temporalio/workflow';
import type { BackfillSegment } from '../../activities/backfill-contract.js';
import { commitUntilKnown } from '../parked-commit.js';
import { failureOf } from '../run-outcome.js';
import { turns } from '../turns.js';
import type { BackfillControls } from './backfill-controls.js';
import {
  type BackfillReport,
  failuresForgotten,
  segmentsFailed,
  windowsCommitted,
  windowsSkipped,
  writtenIn,
} from './backfill-report.js';
import { hasTooMany, windowsIn } from './backfill-segments.js';
import type { BackfillTarget, PendingWindows } from './backfill-target.js';

/** Staged windows wait so long for others to be committed with. */
const COMMIT_EVERY_MS = 30_000;
const MAX_WINDOWS_PER_COMMIT = 250;
/** A window that has to be planned again this often has another writer in its way for good. */
const MAX_TRIES = 10;
const MAX_MESSAGE_CHARS = 300;

/** Backfills of earlier versions wrote the memo once for every window of a group that failed: more than a server takes of one workflow task. */
const ONE_MEMO_FOR_A_GROUP = 'one-memo-for-a-group';

/** Works through segments: stages several at a time, commits them in groups, and runs those alone that rebuild buckets. */
export class BackfillBatch {
  readonly #target: BackfillTarget;
  readonly #windowsPerCommit: number;
  readonly #controls: BackfillControls;
  readonly #report: BackfillReport;
  readonly #queue: BackfillSegment[];
  readonly #pending: PendingWindows[] = [];
  readonly #alone: BackfillSegment[] = [];
  readonly #tries = new Map<string, number>();
  #active = 0;
  #committing: Promise<void> = Promise.resolve();
  #isDrained = false;

  constructor(
    target: BackfillTarget,
    controls: BackfillControls,
    report: BackfillReport,
    work: { readonly segments: readonly BackfillSegment[]; readonly windowsPerCommit?: number | undefined },
  ) {
    this.#target = target;
    this.#controls = controls;
    this.#report = report;
    this.#windowsPerCommit = work.windowsPerCommit ?? MAX_WINDOWS_PER_COMMIT;
    this.#queue = [...work.segments];
  }

  /**
   * Returns when every segment is done or has failed, or too many have, and nobody asks to retry those. Cancelled, it commits what is staged, which are whole windows, and then throws.
   */
  async run(): Promise<void> {
    try {
      for (const _ of turns()) {
        if (this.#hasWork()) {
          await this.#stageAndCommit();
          await this.#runAlone();
        } else if (!this.#takeRetries()) return;
      }
    } catch (error) {
      if (isCancellation(error)) await CancellationScope.nonCancellable(() => this.#finish());
      throw error;
    }
  }

  #hasWork(): boolean {
    return this.#alone.length > 0 || !this.#isEmpty();
  }

  get hasTooManyFailures(): boolean {
    return hasTooMany(this.#report.state.progress.failed);
  }

  async #stageAndCommit(): Promise<void> {
    this.#isDrained = false;
    this.#committing = this.#commitGroups();
    try {
      for (const _ of turns()) {
        await condition(() => this.#mayBegin() || (this.#isEmpty() && this.#active === 0));
        const segment = this.#isEmpty() ? undefined : this.#queue.shift();
        if (segment === undefined) break;
        this.#active += 1;
        void this.#stage(segment).finally(() => {
          this.#active -= 1;
        });
      }
    } finally {
      this.#isDrained = true;
    }
    await this.#committing;
  }

  #isEmpty(): boolean {
    return this.#queue.length === 0 || this.hasTooManyFailures;
  }

  #mayBegin(): boolean {
    return !this.#isEmpty() && !this.#controls.isPaused && this.#active < this.#controls.concurrency;
  }

  async #stage(segment: BackfillSegment): Promise<void> {
    try {
      const staged = await this.#target.stage(segment);
      if (staged.kind === 'staged') this.#pending.push({ segment, staged });
      else if (staged.kind === 'alone') this.#alone.push(segment);
      else this.#report.show(windowsSkipped(windowsIn([segment])));
    } catch (error) {
      // A cancellation ends the loop that waits for this segment.
      if (!isCancellation(error)) this.#fail([segment], error);
    }
  }

  async #commitGroups(): Promise<void> {
    const most = this.#windowsPerCommit;
    await CancellationScope.nonCancellable(async () => {
      for (const _ of turns()) {
        await condition(() => this.#pending.length > 0 || this.#isDrained);
        if (this.#pending.length === 0) return;
        await condition(() => this.#pending.length >= most || this.#isDrained, COMMIT_EVERY_MS);
        await this.#commit(this.#pending.splice(0, most));
      }
    });
  }

  /** A commit that has begun is finished even if the backfill is cancelled, so that its outcome is known. */
  async #commit(group: readonly PendingWindows[]): Promise<void> {
    try {
      const { snapshotId, outcomes } = await commitUntilKnown(() => this.#target.commit(group), this.#report);
      const committed = group.filter((_, index) => outcomes[index]?.endsWith('committed') === true);
      this.#report.save(windowsCommitted({ ...writtenIn(committed), snapshotId }));
      for (const [index, { segment }] of group.entries()) {
        if (outcomes[index] === 'covered') this.#report.show(windowsSkipped(windowsIn([segment])));
      }
      const stale = group.filter((_, index) => outcomes[index] === 'stale');
      this.#again(segmentsOf(stale), staleFailure());
    } catch (error) {
      if (failureOf(error).code === 'COMMIT_CONFLICT') this.#again(segmentsOf(group), error);
      else this.#fail(segmentsOf(group), error);
    }
  }

  #again(segments: readonly BackfillSegment[], error: unknown): void {
    const lost = segments.filter((segment) => {
      const key = segment.join('-');
      const tries = (this.#tries.get(key) ?? 1) + 1;
      this.#tries.set(key, tries);
      if (tries <= MAX_TRIES) this.#queue.push(segment);
      return tries > MAX_TRIES;
    });
    this.#fail(lost, error);
  }

  /** Neighbours are run as one: each would rebuild the same buckets. */
  async #runAlone(): Promise<void> {
    for (const segment of merged(this.#alone.splice(0))) {
      await condition(() => !this.#controls.isPaused);
      try {
        const { snapshotId, rows } = await this.#target.runAlone(segment);
        const windows = windowsIn([segment]);
        this.#report.save(windowsCommitted({ windows, rows, files: 0, bytes: '0', snapshotId }));
      } catch (error) {
        if (isCancellation(error)) throw error;
        this.#fail([segment], error);
      }
    }
  }

  #takeRetries(): boolean {
    if (!this.#controls.takeRetry()) return false;
    this.#queue.push(...this.#report.state.progress.failed.map(({ segment }) => segment));
    this.#report.show(failuresForgotten);
    this.#tries.clear();
    return this.#queue.length > 0;
  }

  async #finish(): Promise<void> {
    await condition(() => this.#active === 0);
    this.#isDrained = true;
    await this.#committing;
    for (const _ of turns()) {
      if (this.#pending.length === 0) return;
      await this.#commit(this.#pending.splice(0, MAX_WINDOWS_PER_COMMIT));
    }
  }

  #fail(segments: readonly BackfillSegment[], error: unknown): void {
    const { code, message } = failureOf(error);
    const failures = segments.map((segment) => {
      const window = this.#target.describe(segment);
      return { segment, window, code, message: message.slice(0, MAX_MESSAGE_CHARS) };
    });
    if (failures.length > 1 && patched(ONE_MEMO_FOR_A_GROUP)) this.#report.save(segmentsFailed(failures));
    else for (const failure of failures) this.#report.save(segmentsFailed([failure]));
  }
}

const segmentsOf = (group: readonly PendingWindows[]): readonly BackfillSegment[] =>
  group.map(({ segment }) => segment);

function merged(segments: readonly BackfillSegment[]): readonly BackfillSegment[] {
  const joined: BackfillSegment[] = [];
  for (const segment of segments.toSorted(([a], [b]) => a - b)) {
    const before = joined.at(-1);
    if (before !== undefined && before[1] + 1 === segment[0]) joined[joined.length - 1] = [before[0], segment[1]];
    else joined.push(segment);
  }
  return joined;
}

function staleFailure(): Error {
  return ApplicationFailure.create({
    message: 'other runs have committed parts of the window again and again',
    type: 'COMMIT_CONFLICT',
  });
}
