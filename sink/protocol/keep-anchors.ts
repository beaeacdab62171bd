/** What an expiry of snapshots does so that sinks find their states afterwards, however long they have been idle. Pure. ADR 0046. */
import { ancestors, type Snapshot, type TableMetadata } from '../../iceberg/index.js';
import { type Anchor, anchorsOf, anchorsText, SINK_STATE, stateOfSummary } from './anchors.js';
import { NOTHING, type SinkState } from './sink-state.js';

/**
 * Anchors for the snapshots that an expiry leaves without their parents: the ancestors that knew a sink's state cannot be followed any more. They hold only in the commit
 * that removes the snapshots, on this metadata.
 * @param removed ids of the snapshots that go
 * @returns table properties to set; none for sinks that need none, or whose state the metadata does not tell
 */
export function keptAnchors(metadata: TableMetadata, removed: ReadonlySet<bigint>): ReadonlyMap<string, string> {
  const orphaned = metadata.snapshots.filter(
    ({ snapshotId, parentSnapshotId }) =>
      !removed.has(snapshotId) && parentSnapshotId !== undefined && removed.has(parentSnapshotId),
  );
  const properties = new Map<string, string>();
  for (const name of metadata.properties.keys()) {
    if (!name.startsWith(`${SINK_STATE}.`)) continue;
    const sink = name.slice(SINK_STATE.length + 1);
    const anchors = anchorsOf(metadata, sink) ?? [];
    const newest = anchors.at(-1);
    if (newest === undefined) continue;
    const added = orphaned.flatMap((each) => anchorFor(metadata, each, sink, anchors));
    // The newest state that the sink itself has made stays the last one.
    const others = anchors.slice(0, -1).filter((anchor) => !isPast(metadata, removed, sink, anchor));
    // Of anchors whose snapshots are not known any more only the order of their sequence numbers tells which are newer; the oldest go first where there are too many.
    const kept = [...others, ...added].sort((a, b) => Number(a.sequenceNumber - b.sequenceNumber));
    if (added.length > 0) properties.set(name, anchorsText([...kept, newest]));
  }
  return properties;
}

function anchorFor(
  metadata: TableMetadata,
  snapshot: Snapshot,
  sink: string,
  anchors: readonly Anchor[],
): readonly Anchor[] {
  const { snapshotId, sequenceNumber } = snapshot;
  if (anchors.some((anchor) => anchor.snapshotId === snapshotId)) return [];
  const state = stateAt(metadata, snapshot, sink, anchors);
  return state === undefined ? [] : [{ snapshotId, sequenceNumber, state }];
}

/** Whether an anchor is that of an earlier expiry, and its snapshot goes now. */
function isPast(
  { snapshots }: TableMetadata,
  removed: ReadonlySet<bigint>,
  sink: string,
  { snapshotId }: Anchor,
): boolean {
  const snapshot = removed.has(snapshotId) ? snapshots.find((each) => each.snapshotId === snapshotId) : undefined;
  return snapshot !== undefined && stateOfSummary(snapshot, sink) === null;
}

/** The state at a snapshot, as far as metadata and anchors tell it. */
function stateAt(
  metadata: TableMetadata,
  from: Snapshot,
  sink: string,
  anchors: readonly Anchor[],
): SinkState | undefined {
  const anchored = (id: bigint | undefined) => anchors.findLast(({ snapshotId }) => snapshotId === id)?.state;
  let last = from;
  for (const snapshot of ancestors(metadata, from.snapshotId)) {
    const known = anchored(snapshot.snapshotId);
    if (known !== undefined) return known;
    const summarized = stateOfSummary(snapshot, sink);
    if (summarized !== null) return summarized;
    last = snapshot;
  }
  return last.parentSnapshotId === undefined ? NOTHING : anchored(last.parentSnapshotId);
}
