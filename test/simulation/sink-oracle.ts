/**
 * The oracle of sinks: which rows of theirs a table must have after every commit, and who may make it. It hears of every snapshot at the moment when the
 * pointer moves, and reads what snapshots and properties record with its own eyes.
 */
import type { Snapshot, TableMetadata } from '../../iceberg/index.js';
import type { SinkCommit } from '../../sink/index.js';
import type { SinkState } from '../../sink/protocol/sink-state.js';
import { partsOf } from './joined-batches.js';
import { LetterOracle } from './letter-oracle.js';
import type { Row } from './row-files.js';
import { isRow, type Recorded, recordedOf, type SourceRecord, SUMMARY } from './sink-records.js';

/** A sink in the history of a snapshot. */
interface SinkHistory {
  readonly epoch: bigint;
  readonly owner: string;
  readonly batches: readonly string[];
  readonly positions: ReadonlyMap<string, number>;
  /** Offsets of the rows that are there, by partition of the source. */
  readonly offsets: ReadonlyMap<string, ReadonlySet<number>>;
}

const FRESH: SinkHistory = { epoch: 0n, owner: '', batches: [], positions: new Map(), offsets: new Map() };

type Histories = ReadonlyMap<string, SinkHistory>;

export class SinkOracle {
  readonly #violations: string[];
  readonly #staged = new Map<string, readonly SourceRecord[]>();
  readonly #states = new Map<bigint, Histories>();
  readonly #parents = new Map<bigint, bigint | undefined>();
  readonly #owners = new Set<string>();
  /** Partitions of which the table has ever had a batch, by sink. All of them begin at 0. */
  readonly #begun = new Map<string, Set<string>>();
  readonly #acknowledged = new Map<string, Map<string, number>>();
  #current: bigint | null = null;
  #added: bigint | null = null;
  /** What their table of dead letters must have. */
  readonly letters: LetterOracle;
  /** How often the table was set back to an older snapshot. */
  rollbacks = 0;
  /** Batches that became snapshots. */
  batches = 0;

  /** @param violations where to say what is not as it must be */
  constructor(violations: string[]) {
    this.#violations = violations;
    this.letters = new LetterOracle(violations);
  }

  /** The files of a batch, or of a part of one, are written. */
  staged(batchId: string, records: readonly SourceRecord[]): void {
    this.#staged.set(batchId, records);
  }

  /** A snapshot is the current one for the first time. @returns the rows that it adds */
  onSnapshot(snapshot: Snapshot): readonly Row[] {
    const { snapshotId, parentSnapshotId } = snapshot;
    this.#added = snapshotId;
    this.#parents.set(snapshotId, parentSnapshotId);
    const before: Histories = this.#states.get(parentSnapshotId ?? -1n) ?? new Map<string, SinkHistory>();
    const recorded = recordedOf(snapshot);
    if (recorded === null) {
      this.#states.set(snapshotId, before);
      return [];
    }
    const own = before.get(recorded.sink) ?? FRESH;
    const isBatch = recorded.batch?.['snapshot-id'] === String(snapshotId);
    const parts = isBatch ? partsOf(recorded.batch?.id ?? '') : [];
    const records = parts.flatMap((id) => this.#staged.get(id) ?? []);
    const after = isBatch ? this.#afterBatch(own, recorded, records) : this.#afterClaim(own, recorded);
    this.#states.set(snapshotId, new Map([...before, [recorded.sink, after]]));
    return records.flatMap(({ row }) => (row === null ? [] : [row]));
  }

  #afterClaim(own: SinkHistory, { sink, epoch, owner, positions }: Recorded): SinkHistory {
    if (this.#owners.has(owner)) this.#violated(`sink ${sink} was claimed twice by ${owner}`);
    this.#owners.add(owner);
    if (BigInt(epoch) <= own.epoch) this.#violated(`sink ${sink}: epoch ${epoch} was claimed after ${own.epoch}`);
    // What a rollback has taken back is to be read from its beginning.
    const beginnings = [...(this.#begun.get(sink) ?? [])].map((partition) => [partition, 0] as const);
    const after = { ...own, epoch: BigInt(epoch), owner, positions: new Map([...beginnings, ...own.positions]) };
    this.#requirePositions(sink, after, numbersOf(positions));
    return after;
  }

  #afterBatch(own: SinkHistory, recorded: Recorded, records: readonly SourceRecord[]): SinkHistory {
    const { sink, epoch, owner, batch } = recorded;
    if (owner !== own.owner || BigInt(epoch) !== own.epoch)
      this.#violated(`sink ${sink}: epoch ${epoch} has committed after the claim of epoch ${own.epoch}`);
    const id = batch?.id ?? '';
    if (own.batches.includes(id)) this.#violated(`sink ${sink}: batch ${id} is in two snapshots`);
    this.letters.committed(id, own.batches.at(-1));
    const offsets = new Map(own.offsets);
    for (const { partition, offset, row } of records) {
      if (partition === null || row === null) continue;
      const known = offsets.get(partition) ?? new Set();
      if (known.has(offset)) this.#violated(`sink ${sink}: record ${offset} of ${partition} is there twice`);
      offsets.set(partition, new Set([...known, offset]));
    }
    this.batches += 1;
    const positions = numbersOf(recorded.positions);
    this.#begun.set(sink, new Set([...(this.#begun.get(sink) ?? []), ...positions.keys()]));
    const after = { ...own, batches: [...own.batches, id], positions, offsets };
    this.#requireRows(sink, after);
    return after;
  }

  /** Up to its positions a table has each record, and none beyond. */
  #requireRows(sink: string, { positions, offsets }: SinkHistory): void {
    for (const [partition, next] of positions) {
      const wanted = Array.from({ length: next }, (_, offset) => offset).filter(isRow);
      const found = [...(offsets.get(partition) ?? [])].sort((a, b) => a - b);
      if (wanted.join() !== found.join())
        this.#violated(`sink ${sink}: up to position ${next} of ${partition} there are records [${found.join()}]`);
    }
    for (const partition of offsets.keys())
      if (!positions.has(partition)) this.#violated(`sink ${sink}: rows of ${partition} have no position`);
  }

  #requirePositions(sink: string, { positions }: SinkHistory, recorded: ReadonlyMap<string, number>): void {
    const [wanted, found] = [positions, recorded].map((each) => JSON.stringify([...each].sort()));
    if (wanted !== found) this.#violated(`sink ${sink}: a claim has moved positions from ${wanted} to ${found}`);
  }

  /** The pointer has moved; after {@link onSnapshot}, if that brought a snapshot. */
  onSwap(metadata: TableMetadata): void {
    const { currentSnapshotId, properties } = metadata;
    if (currentSnapshotId !== this.#current && currentSnapshotId !== this.#added) {
      this.rollbacks += 1;
      this.#acknowledged.clear();
    }
    this.#current = currentSnapshotId;
    if (currentSnapshotId === null) return;
    for (const [name, value] of properties)
      if (name.startsWith(`${SUMMARY}.`)) this.#seeClaim(currentSnapshotId, name.slice(SUMMARY.length + 1), value);
    for (const [sink, acknowledged] of this.#acknowledged) {
      const { positions } = this.#history(sink);
      for (const [partition, next] of acknowledged)
        if ((positions.get(partition) ?? 0) < next)
          this.#violated(`sink ${sink}: ${partition} was acknowledged up to ${next}, and is not there any more`);
    }
  }

  /** A claim counts from when the table shows it, if only in a property. */
  #seeClaim(current: bigint, sink: string, property: string): void {
    const anchor = (JSON.parse(property) as (Recorded & { readonly 'snapshot-id': string })[]).at(-1);
    const own = this.#history(sink);
    if (anchor?.['snapshot-id'] !== String(current) || anchor.owner === own.owner) return;
    this.#owners.add(anchor.owner);
    const claimed = { ...own, epoch: BigInt(anchor.epoch), owner: anchor.owner };
    this.#states.set(current, new Map([...(this.#states.get(current) ?? []), [sink, claimed]]));
  }

  #history(sink: string): SinkHistory {
    return this.#states.get(this.#current ?? -1n)?.get(sink) ?? FRESH;
  }

  /** A host was told that a batch has landed. What a rollback has taken back since does not count. */
  acknowledge(sink: string, { snapshotId, positions }: SinkCommit): void {
    if (snapshotId === null) return;
    if (!this.#states.has(snapshotId))
      this.#violated(`sink ${sink}: snapshot ${snapshotId} is acknowledged, and never was`);
    for (let id: bigint | null | undefined = this.#current; id !== snapshotId; id = this.#parents.get(id))
      if (id === null || id === undefined) return;
    const known = this.#acknowledged.get(sink) ?? new Map<string, number>();
    for (const [partition, next] of positions) known.set(partition, Math.max(Number(next), known.get(partition) ?? 0));
    this.#acknowledged.set(sink, known);
  }

  /** Compares what the sink's own code finds in a table with what must be there. */
  compare(snapshotId: bigint, sink: string, found: SinkState | null): void {
    const own = this.#states.get(snapshotId)?.get(sink);
    const text = (epoch: bigint, owner: string, last: string, positions: readonly (readonly [string, unknown])[]) =>
      [epoch, owner, last, ...positions.map(([partition, next]) => `${partition}:${String(next)}`).sort()].join(' ');
    const wanted =
      own === undefined ? 'nothing' : text(own.epoch, own.owner, own.batches.at(-1) ?? '', [...own.positions]);
    const actual =
      found === null ? 'nothing' : text(found.epoch, found.owner, found.lastBatch?.id ?? '', [...found.positions]);
    if (wanted !== actual) this.#violated(`sink ${sink} at snapshot ${snapshotId} is "${actual}", not "${wanted}"`);
  }

  /** The table must have everything up to these ends. @param hasLetters whether there is a table of dead letters, which must have the rest */
  requireComplete(sink: string, partitions: readonly string[], end: number, hasLetters: boolean): void {
    const { positions, batches } = this.#history(sink);
    for (const partition of partitions)
      if (positions.get(partition) !== end)
        this.#violated(`sink ${sink}: ${partition} ends at ${positions.get(partition) ?? 0}, not at ${end}`);
    if (hasLetters) this.letters.requireComplete(sink, batches, { partitions, end, wasRolledBack: this.rollbacks > 0 });
  }

  #violated(message: string): void {
    this.#violations.push(message);
  }
}

function numbersOf(positions: Recorded['positions']): ReadonlyMap<string, number> {
  return new Map(Object.entries(positions).map(([partition, next]) => [partition, Number(next)]));
}
