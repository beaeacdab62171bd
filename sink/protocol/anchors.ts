/**
 * Where a table keeps the states of its sinks: in the summary of the snapshot that made the state, and, so that it outlives the snapshot, in a bounded table
 * property that the same commit sets. Pure.
 */
import {
  isJsonArray,
  isJsonObject,
  type JsonValue,
  parseJson,
  type Snapshot,
  stringifyJson,
  type TableMetadata,
} from '../../iceberg/index.js';
import {
  batchFromJson,
  type CommittedBatch,
  isCount,
  type SinkState,
  stateFromJson,
  stateToJson,
} from './sink-state.js';

/** A state, and the snapshot that made it. */
export interface Anchor {
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
  readonly state: SinkState;
}

/** Snapshot summary property: JSON, `{"sink": NAME, "epoch": ..}`. */
export const SINK_STATE = 'moraine.sink';
const MAX_ANCHORS = 32;
/** Characters of the property; at least the two newest anchors stay. */
const MAX_CHARS = 131_072;
const MIN_ANCHORS = 2;
const MAX_SUMMARY_CHARS = 8192;
/** Members of a state that grow with its partitions. */
const OF_PARTITIONS: ReadonlySet<string> = new Set(['positions', 'marks', 'beginnings']);

/** The table property with a sink's anchors: JSON, newest last. */
export const anchorsProperty = (sink: string): string => `${SINK_STATE}.${sink}`;

/** A sink's anchors, newest last; null for a property that somebody damaged. */
export function anchorsOf({ properties }: TableMetadata, sink: string): readonly Anchor[] | null {
  const text = properties.get(anchorsProperty(sink));
  if (text === undefined) return [];
  const json = tryParse(text);
  if (json === undefined || !isJsonArray(json)) return null;
  const anchors: Anchor[] = [];
  for (const entry of json) {
    const state = stateFromJson(entry);
    if (state === null || !isJsonObject(entry)) return null;
    const { 'snapshot-id': snapshotId, 'sequence-number': sequenceNumber } = entry;
    if (!isCount(snapshotId) || !isCount(sequenceNumber)) return null;
    anchors.push({ snapshotId: BigInt(snapshotId), sequenceNumber: BigInt(sequenceNumber), state });
  }
  return anchors;
}

/** The property's value: the newest of these anchors. @param anchors newest last */
export function anchorsText(anchors: readonly Anchor[]): string {
  const kept: string[] = [];
  let chars = 0;
  for (const anchor of anchors.slice(-MAX_ANCHORS).toReversed()) {
    const text = stringifyJson({
      'snapshot-id': anchor.snapshotId.toString(),
      'sequence-number': anchor.sequenceNumber.toString(),
      ...stateToJson(anchor.state),
    });
    chars += text.length;
    if (chars > MAX_CHARS && kept.length >= MIN_ANCHORS) break;
    kept.push(text);
  }
  return `[${kept.toReversed().join(',')}]`;
}

/** The value of {@link SINK_STATE}, without the positions of very many partitions: every snapshot of the table keeps it. */
export function summaryText(sink: string, state: SinkState): string {
  const json = stateToJson(state);
  const text = stringifyJson({ sink, ...json });
  if (text.length <= MAX_SUMMARY_CHARS) return text;
  const whole = Object.entries(json).filter(([member]) => !OF_PARTITIONS.has(member));
  return stringifyJson({ sink, ...Object.fromEntries(whole) });
}

/** The state that a snapshot's own summary gives for a sink; null: the snapshot is not the sink's; undefined: its state does not stand there. */
export function stateOfSummary(snapshot: Snapshot, sink: string): SinkState | null | undefined {
  const json = summaryJson(snapshot);
  if (!isJsonObject(json)) return json;
  return json['sink'] === sink ? (stateFromJson(json) ?? undefined) : null;
}

/** The last batch that a snapshot's own summary gives for a sink, also where it has no positions; null: it gives none. */
export function batchOfSummary(snapshot: Snapshot, sink: string): CommittedBatch | null {
  const json = summaryJson(snapshot);
  const batch = isJsonObject(json) && json['sink'] === sink ? json['batch'] : undefined;
  return batch === undefined ? null : (batchFromJson(batch) ?? null);
}

/** Null: the snapshot is not that of a sink; undefined: what it says is damaged. */
function summaryJson({ summary }: Snapshot): { readonly [key: string]: JsonValue } | null | undefined {
  const text = summary.get(SINK_STATE);
  if (text === undefined) return null;
  const json = tryParse(text);
  return isJsonObject(json) ? json : undefined;
}

function tryParse(text: string): JsonValue | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
