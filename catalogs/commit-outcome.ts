/** The outcome of commits: announced to metrics, without the catalogs knowing of them, and kept from what fails afterwards. */
import { channel } from 'node:diagnostics_channel';
import { isMoraineError } from '../errors/index.js';

/** How the catalog answered one attempt to commit. `failed`: it was refused, or could not be asked. */
export interface CommitEvent {
  readonly outcome: 'committed' | 'conflict' | 'unknown' | 'failed';
}

/** The name of the channel, for `node:diagnostics_channel`. */
export const COMMIT_CHANNEL = 'moraine:commit';

const commits = channel(COMMIT_CHANNEL);

/** Makes an attempt to commit and says on the channel how it ended. */
export async function announceCommit<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    const committed = await attempt();
    publish('committed');
    return committed;
  } catch (error) {
    publish(failureOutcome(error));
    throw error;
  }
}

function publish(outcome: CommitEvent['outcome']): void {
  commits.publish({ outcome } satisfies CommitEvent);
}

/** As `tables/commit.ts` takes it: whatever is not a clear answer of ours may have landed. */
function failureOutcome(error: unknown): CommitEvent['outcome'] {
  if (!isMoraineError(error) || error.code === 'COMMIT_STATE_UNKNOWN') return 'unknown';
  return error.code === 'COMMIT_CONFLICT' ? 'conflict' : 'failed';
}

/**
 * Runs every step, all at once. A step that fails stops none of the others and is not reported: the outcome stands, and what is left
 * behind is a cached entry or a file that nothing reaches, which the orphan sweep removes. Never rejects.
 */
export async function afterOutcome(...steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  await Promise.allSettled(steps.map(async (step) => step()));
}
