/** Options of a Hive metastore's catalog, under the names that PyIceberg and Hive give them. */
import { optionInvalid } from '../option-invalid.js';

/** Hive's name for the time that a client waits for an answer. */
export const SOCKET_TIMEOUT = 'hive.metastore.client.socket.timeout';
const ANSWER_MS = 60_000;
const MOST_MS = 3_600_000;

/**
 * The time in milliseconds within which a metastore must have answered a call.
 * @throws MoraineError `CONFIG_INVALID`
 */
export function answerTimeoutMs(options: Readonly<Record<string, string>>): number {
  const text = options[SOCKET_TIMEOUT];
  if (text === undefined) return ANSWER_MS;
  // Hive takes a number without a unit for seconds.
  const [, number, unit] = /^(\d{1,7})(ms|s|)$/.exec(text) ?? [];
  const value = Number(number) * (unit === 'ms' ? 1 : 1000);
  if (value > 0 && value <= MOST_MS) return value;
  throw optionInvalid(SOCKET_TIMEOUT, 'must be a time such as 60s or 500ms, at most 3600s');
}
