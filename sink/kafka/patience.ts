/** Asking again for a limited time while Kafka does not answer. */
import { durationText, isMoraineError, MoraineError } from '../../errors/index.js';
import { pause, throwIfAborted } from '../../processes/index.js';

export interface PatienceOptions {
  /** Milliseconds for which brokers may be away. */
  readonly limitMs: number;
  readonly signal: AbortSignal | undefined;
  /** Told when brokers have gone and have come back. */
  readonly onNotice: (text: string) => void;
}

const [FIRST_WAIT_MS, MAX_WAIT_MS] = [250, 2_000];
/** One that fails once has only met a change of leaders. */
const NOTED_FAILURES = 2;

/**
 * The result of work, which is done again after `KAFKA_UNAVAILABLE`.
 * @param reset makes the next attempt begin with new connections
 * @throws MoraineError `KAFKA_UNAVAILABLE` after the limit; `CANCELLED`; every other error at once
 */
export async function outlast<T>(
  work: () => Promise<T>,
  reset: () => void,
  { limitMs, signal, onNotice }: PatienceOptions,
): Promise<T> {
  const since = Date.now();
  for (let failures = 0; ; ) {
    try {
      const result = await work();
      if (failures >= NOTED_FAILURES) onNotice('Kafka answers again.');
      return result;
    } catch (error) {
      throwIfAborted(signal);
      if (!isMoraineError(error, 'KAFKA_UNAVAILABLE')) throw error;
      failures += 1;
      if (Date.now() - since >= limitMs)
        throw new MoraineError('KAFKA_UNAVAILABLE', `${error.message} It was asked for ${durationText(limitMs)}.`, {
          cause: error,
        });
      if (failures === NOTED_FAILURES) onNotice(`${error.message} Asking again for up to ${durationText(limitMs)}.`);
      reset();
      await pause(Math.min(FIRST_WAIT_MS * 2 ** (failures - 1), MAX_WAIT_MS), signal);
    }
  }
}
