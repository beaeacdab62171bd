/** Records of the sources of simulated sinks, and what the sinks write into the summaries of snapshots. */
import type { Snapshot } from '../../iceberg/index.js';
import type { Row } from './row-files.js';

/** A record of a source. Every fifth one is no row. */
export interface SourceRecord {
  /** Null: without a position. */
  readonly partition: string | null;
  readonly offset: number;
  readonly row: Row | null;
}

/** Whether a record becomes a row. */
export const isRow = (offset: number): boolean => offset % 5 !== 3;

/** What a snapshot's summary records. */
export interface Recorded {
  readonly sink: string;
  readonly epoch: string;
  readonly owner: string;
  readonly batch?: { readonly id: string; readonly 'snapshot-id': string };
  readonly positions: { readonly [partition: string]: string };
}

export const SUMMARY = 'moraine.sink';
/** Where a planted bug has put a summary that the sink is not to find. */
export const HIDDEN_SUMMARY = 'simulation.sink';

/** Null: the snapshot is not that of a sink. */
export function recordedOf({ summary }: Pick<Snapshot, 'summary'>): Recorded | null {
  const text = summary.get(SUMMARY) ?? summary.get(HIDDEN_SUMMARY);
  return text === undefined ? null : (JSON.parse(text) as Recorded);
}
