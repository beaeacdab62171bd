/** At which state tables are read: `--as-of`, `--ref` and `--snapshot TABLE=ID`. */
import { parseTimeUs } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import type { HistoricalAsOf } from '../../features/index.js';
import { parseSnapshotId } from './snapshot-options.js';

/** At most one kind of them is given. */
export interface AsOfOptions {
  readonly asOf?: string;
  readonly ref?: string;
  readonly snapshot?: readonly string[];
}

/** The state of the tables of features, and of those that entity rows come from. Undefined: as they are now. */
export interface ChosenStates {
  readonly sources?: HistoricalAsOf;
  readonly entitySources?: HistoricalAsOf;
}

/** @throws INVALID_ARGUMENT */
export function chosenStates({ asOf, ref, snapshot = [] }: AsOfOptions): ChosenStates {
  const given = [asOf !== undefined, ref !== undefined, snapshot.length > 0].filter(Boolean).length;
  if (given > 1) throw new MoraineError('INVALID_ARGUMENT', 'give one of --as-of, --ref and --snapshot');
  if (ref !== undefined) return { sources: { ref } };
  if (asOf !== undefined) {
    const us = parseTimeUs(asOf, '--as-of');
    // The log has milliseconds: the last entry at or before a time is the last at or before its millisecond.
    const state = { asOfMs: us >= 0n ? us / 1000n : (us - 999n) / 1000n };
    return { sources: state, entitySources: state };
  }
  if (snapshot.length === 0) return {};
  const state = { snapshots: new Map(snapshot.map(tableSnapshot)), others: 'current' } as const;
  return { sources: state, entitySources: state };
}

function tableSnapshot(text: string): readonly [string, bigint] {
  const equals = text.lastIndexOf('=');
  if (equals > 0) return [text.slice(0, equals), parseSnapshotId(text.slice(equals + 1))];
  throw new MoraineError('INVALID_ARGUMENT', `--snapshot ${JSON.stringify(text)}: write TABLE=ID`);
}
