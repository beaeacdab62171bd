/** What a run turns out to be once its files are known. */
import type { Decision, DecisionInput } from './decide.js';

type Outcome = Pick<Decision, 'kind' | 'reason'>;

/** A run that has nothing to write after all. */
export function idle({ kind, reason }: Decision): Outcome {
  if (kind === 'nothing') return { kind, reason };
  return {
    kind: 'nothing',
    reason: kind === 'rebuild-buckets' ? 'no rows changed in the window' : 'no rows in the window',
  };
}

/** A run that rebuilds no bucket: of the rows that were there before, none is gone. */
export function appending({ kind, reason, delta }: Decision, { request }: DecisionInput): Outcome {
  if (kind !== 'rebuild-buckets' || delta === null) return { kind, reason };
  return { kind: request.kind, reason: `changes since snapshot ${delta.sinceSnapshotId}, which took no rows` };
}
