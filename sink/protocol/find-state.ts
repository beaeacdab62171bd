/** Finding the state of a sink that holds for one state of its table. */
import { formatTableName } from '../../catalogs/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { Snapshot } from '../../iceberg/index.js';
import { ancestryOf, type Table } from '../../tables/index.js';
import type { SourcePositions } from '../source-position.js';
import { type Anchor, anchorsOf, batchOfSummary, stateOfSummary } from './anchors.js';
import { type CommittedBatch, hasPart, NOTHING, type SinkState } from './sink-state.js';
import { SnapshotHistory } from './snapshot-history.js';

export type StateTable = Pick<Table, 'identifier' | 'io' | 'metadata'>;

/** A sink as a table has it. */
export interface FoundState {
  /** Null: nothing of the sink is in the history of the current snapshot. */
  readonly state: SinkState | null;
  /** The highest epoch that the table knows of, rolled back ones included; 0: none. */
  readonly lastEpoch: bigint;
}

/**
 * The state of the newest claim or batch of a sink in the history of a table's current snapshot. No file is read as long as the metadata, or an anchor of Moraine's own
 * expiry, tells the history, however many snapshots others have committed. Where another program has expired snapshots, their parents come from the table's older metadata
 * files: one file for each of its expiries since that state. Where those are gone, too, the newest snapshot of Moraine that is left tells by sequence numbers which anchors it rests on.
 * @throws MoraineError `SINK_POSITION_UNKNOWN` if the history cannot be followed to a state
 */
export async function sinkStateOf(table: StateTable, sink: string): Promise<FoundState> {
  const anchors = requireAnchors(table, sink);
  for await (const state of statesOf(table, sink, anchors)) return { state, lastEpoch: lastEpoch(anchors, state) };
  return { state: null, lastEpoch: lastEpoch(anchors, null) };
}

/**
 * The state of a sink in a table where it only finishes what another table's history names, and which people may roll back as they like: the newest claim whatever became of
 * its snapshot, and the last batch that the history has. The last anchor is the newest that the sink has made: an expiry puts its own before it. Where nothing tells the
 * history any more, what the sink has committed last counts, unless sequence numbers tell that it was rolled back.
 * @throws as {@link requireAnchors}
 */
export async function companionStateOf(table: StateTable, sink: string): Promise<FoundState> {
  const anchors = requireAnchors(table, sink);
  const newest = anchors.at(-1)?.state;
  try {
    const found = await sinkStateOf(table, sink);
    if (newest === undefined) return found;
    return { ...found, state: { ...newest, lastBatch: found.state?.lastBatch ?? null } };
  } catch (error) {
    if (newest === undefined || !isMoraineError(error, 'SINK_POSITION_UNKNOWN')) throw error;
    const { lastBatch } = newest;
    const anchor = anchors.findLast(({ snapshotId }) => snapshotId === lastBatch?.snapshotId);
    // What was rolled back is not done, and is known to be so by its sequence number.
    const isOut = anchor !== undefined && ancestryOf(table.metadata, anchor.sequenceNumber) === 'out';
    return { state: isOut ? { ...newest, lastBatch: null } : newest, lastEpoch: lastEpoch(anchors, newest) };
  }
}

/**
 * Whether the history of the current snapshot of a companion's table has a batch, as far as the table tells.
 * @param readsOlder whether older metadata files are asked, too: for batches before the last ones
 * @throws as {@link companionStateOf}
 */
export async function hasBatch(
  table: StateTable,
  sink: string,
  batchId: string,
  { readsOlder }: { readonly readsOlder: boolean },
): Promise<boolean> {
  const { state } = await companionStateOf(table, sink);
  if (state?.lastBatch?.id === batchId) return true;
  try {
    for await (const { lastBatch } of statesOf(table, sink, requireAnchors(table, sink), readsOlder))
      if (lastBatch?.id === batchId) return true;
  } catch (error) {
    if (!isMoraineError(error, 'SINK_POSITION_UNKNOWN')) throw error;
  }
  return false;
}

/**
 * The snapshots that have batches, or parts of them, among those in the history of the current one. Reads the history until all are found: for what has no positions.
 * @param parts by id, the epoch that the sink was opened with when it was staged: the history before that claim cannot have it
 * @returns by id; what is not in the history is not in it
 * @throws MoraineError `SINK_POSITION_UNKNOWN`
 */
export async function snapshotsOfParts(
  table: StateTable,
  sink: string,
  parts: ReadonlyMap<string, bigint>,
): Promise<ReadonlyMap<string, bigint>> {
  const found = new Map<string, bigint>();
  let left = [...parts];
  if (left.length === 0) return found;
  for await (const { epoch, lastBatch } of statesOf(table, sink, requireAnchors(table, sink))) {
    if (lastBatch !== null)
      for (const [id] of left.filter(([part]) => hasPart(lastBatch, part))) found.set(id, lastBatch.snapshotId);
    left = left.filter(([id, openedEpoch]) => !found.has(id) && epoch >= openedEpoch);
    if (left.length === 0) return found;
  }
  return found;
}

/** States in the history of the current snapshot, newest first. */
async function* statesOf(
  table: StateTable,
  sink: string,
  anchors: readonly Anchor[],
  readsOlder = anchors.length > 0,
): AsyncGenerator<SinkState> {
  const bySnapshot = new Map(anchors.map((anchor) => [anchor.snapshotId, anchor.state]));
  const history = new SnapshotHistory(table, { readsOlder });
  const seen = new Set<bigint>();
  let child: Snapshot | undefined;
  for (let id = table.metadata.currentSnapshotId; id !== null && !seen.has(id); ) {
    seen.add(id);
    const anchored = bySnapshot.get(id);
    if (anchored?.epoch === NOTHING.epoch) return;
    if (anchored !== undefined) yield anchored;
    const snapshot = await history.find(id, child);
    if (snapshot === undefined) {
      if (anchors.length === 0) return;
      if (yield* anchoredBefore(table, child, anchors)) return;
      throw unknown(table, sink, `snapshot ${id} and the metadata files that knew its parent are gone`);
    }
    const summarized = anchored === undefined ? stateOfSummary(snapshot, sink) : null;
    if (summarized === undefined) throw unknown(table, sink, `snapshot ${id} has no anchor any more`);
    if (summarized !== null) yield summarized;
    child = snapshot;
    id = snapshot.parentSnapshotId ?? null;
  }
}

/**
 * States before a snapshot whose history nothing tells one by one, newest first: those whose anchors have sequence numbers that the current snapshot rests on. It ends at
 * the first anchor of which that is not known. Every commit of the sink since the oldest anchor has one, so none between them is missed.
 * @returns whether nothing of the sink comes before them
 */
function* anchoredBefore(
  { metadata }: StateTable,
  child: Snapshot | undefined,
  anchors: readonly Anchor[],
): Generator<SinkState, boolean> {
  // Snapshots of version 1 have no sequence numbers.
  if (child === undefined || metadata.formatVersion === 1) return false;
  const earlier = anchors.filter(({ sequenceNumber }) => sequenceNumber < child.sequenceNumber);
  for (const { sequenceNumber, state } of earlier.toSorted((a, b) => Number(b.sequenceNumber - a.sequenceNumber))) {
    const ancestry = ancestryOf(metadata, sequenceNumber);
    if (ancestry === 'unknown') return false;
    if (ancestry === 'out') continue;
    if (state.epoch === NOTHING.epoch) return true;
    yield state;
  }
  return false;
}

/**
 * Where each partition begins that any state of a sink knows, rolled back or not: one that a base has lost begins there again.
 * @returns positions, and of them those other than 0
 * @throws MoraineError `SINK_POSITION_UNKNOWN` if the property is damaged
 */
export function beginningsOf(
  table: StateTable,
  sink: string,
): { readonly positions: SourcePositions; readonly beginnings: SourcePositions } {
  const states = statesOnRecord(table, sink);
  const beginnings = new Map(states.flatMap((state) => [...state.beginnings]));
  const partitions = states.flatMap((state) => [...state.positions.keys()]);
  return {
    positions: new Map(partitions.map((partition) => [partition, beginnings.get(partition) ?? 0n])),
    beginnings,
  };
}

/** All batches that a table tells of, rolled back or not, also those of snapshots that do not tell their positions. @throws as {@link requireAnchors} */
export function batchesOnRecord(table: StateTable, sink: string): readonly CommittedBatch[] {
  const summaries = table.metadata.snapshots.flatMap((snapshot) => batchOfSummary(snapshot, sink) ?? []);
  return [...summaries, ...requireAnchors(table, sink).flatMap(({ state }) => state.lastBatch ?? [])];
}

/** Whether the anchors of a sink are of all batches since a claim: older ones are left out of the property. @throws as {@link requireAnchors} */
export function tellsAllSince(table: StateTable, sink: string, epoch: bigint): boolean {
  const [oldest] = requireAnchors(table, sink);
  if (oldest === undefined) return false;
  return oldest.state.epoch < epoch || (oldest.state.epoch === epoch && oldest.state.lastBatch === null);
}

/** All states that a table tells whole, rolled back or not. @throws as {@link requireAnchors} */
function statesOnRecord(table: StateTable, sink: string): readonly SinkState[] {
  const summaries = table.metadata.snapshots.flatMap((snapshot) => stateOfSummary(snapshot, sink) ?? []);
  return [...summaries, ...requireAnchors(table, sink).map(({ state }) => state)];
}

/** The anchors of a sink. @throws MoraineError `SINK_POSITION_UNKNOWN` if the property is damaged */
export function requireAnchors(table: StateTable, sink: string): readonly Anchor[] {
  const anchors = anchorsOf(table.metadata, sink);
  if (anchors === null) throw unknown(table, sink, 'its table property is damaged');
  return anchors;
}

function lastEpoch(anchors: readonly Anchor[], state: SinkState | null): bigint {
  return anchors.reduce((last, anchor) => (anchor.state.epoch > last ? anchor.state.epoch : last), state?.epoch ?? 0n);
}

function unknown({ identifier }: StateTable, sink: string, reason: string): MoraineError {
  const message = `The positions of sink ${JSON.stringify(sink)} in table ${formatTableName(identifier)} are unknown: ${reason}.`;
  return new MoraineError('SINK_POSITION_UNKNOWN', message, { details: { sink } });
}
