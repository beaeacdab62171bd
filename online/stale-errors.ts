/** Why a read gets nothing that is as new as it asks for. */
import { MoraineError } from '../errors/index.js';
import type { OnlineView } from './online-view.js';

/** What a read asks for, and how long it waited, in milliseconds. */
interface ReadBounds {
  readonly maxStalenessMs: number;
  readonly timeoutMs: number;
}

/** A look that did not end in time. @param before what the one before failed with, if it did */
export function lookFailed({ maxStalenessMs, timeoutMs }: ReadBounds, before: MoraineError | undefined): MoraineError {
  const known = `Nothing is known of definitions and tables that is at most ${maxStalenessMs} ms old (maxStalenessMs)`;
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
