/** Why a read gets nothing that is as new as it asks for. */
import { MoraineError } from '../errors/index.js';
import type { OnlineView } from './online-view.js';

/** What a read asks for, and how long it waited, in milliseconds. */
interface ReadBounds {
  readonly maxStalenessMs: number;
  readonly timeoutMs: number;
}

/** A snapshot that a read must have. */
export interface WantedSnapshot {
  readonly view: string;
  readonly snapshotId: bigint;
}

/**
 * A look that did not end in time.
 * @param wanted a snapshot that the read asks for, where what is known is new enough but does not contain it
 * @param before what the one before failed with, if it did
 */
export function lookFailed(
  { maxStalenessMs, timeoutMs }: ReadBounds,
  wanted: WantedSnapshot | undefined,
  before: MoraineError | undefined,
): MoraineError {
  const known =
    wanted === undefined
      ? `Nothing is known of definitions and tables that is at most ${maxStalenessMs} ms old (maxStalenessMs)`
      : `The state of feature view '${wanted.view}' that is known does not contain snapshot ${wanted.snapshotId}, which the read asks for`;
  const reason = before === undefined ? '' : ` The one before failed: ${before.message}`;
  return new MoraineError(
    before?.retryable === true ? before.code : 'CATALOG_UNAVAILABLE',
    `${known}, and a new look at catalog and storage did not end within ${timeoutMs} ms (readTimeoutMs).${reason}`,
    { remedy: 'Check the catalog and the storage, and try again.', cause: before },
  );
}

/**
 * A new state of a view whose rows have not been read by the time that the decoded ones are too old.
 * @param ageMs of the decoded ones, in milliseconds
 * @param cause what waiting for the new ones ended with
 */
export function decodingBehind(
  { name, table }: OnlineView,
  ageMs: number,
  { maxStalenessMs, timeoutMs }: ReadBounds,
  cause: MoraineError,
): MoraineError {
  const old = `The decoded rows of feature view '${name}' are ${Math.round(ageMs)} ms old, and may be ${maxStalenessMs} ms old (maxStalenessMs)`;
  return new MoraineError(
    'STORAGE_UNAVAILABLE',
    `${old}. Newer ones at ${table.metadata.location} are being read and did not come within ${timeoutMs} ms (readTimeoutMs).`,
    {
      remedy:
        'Check how fast the storage answers and whether this machine keeps up, and try again; or allow a longer maxStalenessMs.',
      cause,
    },
  );
}
