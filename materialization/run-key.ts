/** The run key: the same work has the same key, whoever plans it and how often. */
import { createHash } from 'node:crypto';
import type { Interval } from './interval.js';

/** The facts that make two runs the same work. */
export interface RunIdentity {
  readonly view: string;
  readonly definitionHash: string;
  readonly interval: Interval;
  readonly sourceTableUuid: string;
  readonly sourceSnapshotId: bigint;
  /**
   * The progress that the run continues from. Without it a definition that was changed and changed back, or a source that
   * was rolled back, would find the key of a run that had done this once, but before other work replaced its rows.
   */
  readonly progressToken: string;
}

/** SHA-256 in lower-case hex. */
export function runKey(identity: RunIdentity): string {
  const facts = [
    identity.view,
    identity.definitionHash,
    identity.interval.startUs === null ? null : String(identity.interval.startUs),
    identity.interval.endUs === null ? null : String(identity.interval.endUs),
    identity.sourceTableUuid,
    String(identity.sourceSnapshotId),
    identity.progressToken,
  ];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}
