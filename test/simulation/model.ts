/**
 * The oracle: what the table must hold after every commit. It hears of a commit at the moment when the catalog's pointer moves, looks
 * up what the commit was to do, and does that to a set of rows.
 */
import {
  ancestors,
  currentSnapshot,
  parseTableMetadata,
  type Snapshot,
  type TableMetadata,
} from '../../iceberg/index.js';
import type { Row } from './row-files.js';

type Rows = ReadonlyMap<number, Row>;

/** The effect of a commit on the rows of the snapshot that it builds on. */
export type Effect = (rows: Rows) => Rows;

/** Summary property that tells which attempt a snapshot is of. */
export const ATTEMPT = 'simulation.attempt';

interface Attempt {
  readonly key: string;
  readonly effect: Effect;
  /** Whether an error said that it certainly did not land. */
  hasFailed: boolean;
}

interface State {
  readonly rows: Rows;
  /** Keys of the runs that are part of it. */
  readonly keys: ReadonlySet<string>;
}

const EMPTY: State = { rows: new Map(), keys: new Set() };

/** Watches commits that no attempt announces. */
export interface Watcher {
  /** A snapshot is the current one for the first time. @returns the rows that it adds, unless an attempt announced it */
  onSnapshot(snapshot: Snapshot): readonly Row[];
  /** The pointer has moved. */
  onSwap(metadata: TableMetadata): void;
}

export class Violation extends Error {
  override readonly name = 'Violation';
}

export class Model {
  readonly #states = new Map<bigint, State>();
  readonly #attempts = new Map<string, Attempt>();
  readonly #acknowledged = new Map<string, bigint>();
  #lastSequenceNumber = 0n;
  /** Violations that were found at moments when nobody could be told. */
  readonly violations: string[] = [];
  metadata: TableMetadata | undefined;
  watcher: Watcher | undefined;

  /** Announces an attempt to commit, before it begins. */
  begin(attempt: string, key: string, effect: Effect): void {
    this.#attempts.set(attempt, { key, effect, hasFailed: false });
  }

  /** An attempt ended with an error that leaves no doubt. */
  failed(attempt: string): void {
    const known = this.#attempts.get(attempt);
    if (known !== undefined) known.hasFailed = true;
  }

  acknowledged(key: string, snapshotId: bigint): void {
    const state = this.#states.get(snapshotId);
    if (state?.keys.has(key) !== true)
      this.violations.push(`${key} is acknowledged as snapshot ${snapshotId}, which does not hold it`);
    this.#acknowledged.set(key, snapshotId);
  }

  /** How many runs were acknowledged. */
  get acknowledgedRuns(): number {
    return this.#acknowledged.size;
  }

  /** How many snapshots there ever were. */
  get snapshots(): number {
    return this.#states.size;
  }

  /** The pointer has moved to metadata with this content. */
  onSwap(content: Uint8Array): void {
    const metadata = parseTableMetadata(content);
    this.metadata = metadata;
    this.#add(metadata);
    this.watcher?.onSwap(metadata);
  }

  #add(metadata: TableMetadata): void {
    const snapshot = currentSnapshot(metadata);
    if (metadata.lastSequenceNumber > this.#lastSequenceNumber + 1n)
      this.violations.push('a sequence number was left out');
    if (snapshot === null || this.#states.has(snapshot.snapshotId)) return;
    if (snapshot.sequenceNumber !== this.#lastSequenceNumber + 1n) {
      this.violations.push(
        `snapshot ${snapshot.snapshotId} has sequence number ${snapshot.sequenceNumber} after ${this.#lastSequenceNumber}`,
      );
    }
    this.#lastSequenceNumber = metadata.lastSequenceNumber;
    const before = this.#states.get(snapshot.parentSnapshotId ?? -1n) ?? EMPTY;
    this.#states.set(snapshot.snapshotId, this.#after(before, snapshot));
  }

  #after(before: State, snapshot: Snapshot): State {
    const added = this.watcher?.onSnapshot(snapshot) ?? [];
    const attempt = this.#attempts.get(snapshot.summary.get(ATTEMPT) ?? '');
    // A rewrite, unless a watcher knows better: other files, the same rows.
    if (attempt === undefined)
      return { ...before, rows: new Map([...before.rows, ...added.map((row) => [row.id, row] as const)]) };
    if (before.keys.has(attempt.key)) this.violations.push(`${attempt.key} was committed twice`);
    if (attempt.hasFailed) this.violations.push(`${attempt.key} landed after it was reported as failed`);
    return { rows: attempt.effect(before.rows), keys: new Set([...before.keys, attempt.key]) };
  }

  /** Compares what was read of a snapshot with what it must hold. @throws Violation */
  check(snapshotId: bigint, rows: readonly Row[]): void {
    const expected = [...(this.#states.get(snapshotId) ?? EMPTY).rows.keys()].sort(byNumber);
    const actual = rows.map(({ id }) => id).sort(byNumber);
    if (JSON.stringify(actual) === JSON.stringify(expected)) return;
    const lost = expected.filter((id) => !actual.includes(id));
    const back = actual.filter((id) => !expected.includes(id));
    const twice = actual.filter((id, index) => actual[index + 1] === id);
    throw new Violation(
      `snapshot ${snapshotId}: rows lost: [${lost.join()}], not to be there: [${back.join()}], twice: [${twice.join()}]`,
    );
  }

  /** Whether the table, as it is now, has a snapshot. */
  has(snapshotId: bigint): boolean {
    return this.metadata?.snapshots.some((snapshot) => snapshot.snapshotId === snapshotId) === true;
  }

  /** The current snapshot and those that it builds on. */
  history(): readonly bigint[] {
    const current = this.metadata?.currentSnapshotId;
    if (this.metadata === undefined || current === null || current === undefined) return [];
    return [...ancestors(this.metadata, current)].map(({ snapshotId }) => snapshotId);
  }
}

const byNumber = (a: number, b: number): number => a - b;
