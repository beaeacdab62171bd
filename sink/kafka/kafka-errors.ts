/** What errors of Kafka and its client mean: whether asking again can help. Pure. */
import { isMoraineError, MoraineError } from '../../errors/index.js';

/** Codes of the client's errors. */
const [NETWORK, RESPONSE, AUTHENTICATION] = ['PLT_KFK_NETWORK', 'PLT_KFK_RESPONSE', 'PLT_KFK_AUTHENTICATION'];
const TRANSIENT: ReadonlySet<unknown> = new Set([NETWORK, RESPONSE, 'PLT_KFK_UNEXPECTED_CORRELATION_ID']);
/** Codes of Node's errors about certificates. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_/;

type ClientError = Error & { readonly code?: unknown; readonly apiId?: unknown };

/**
 * An error of the client as one of ours.
 * @param what was asked for, such as `records`
 * @returns `KAFKA_UNAVAILABLE` where asking again may help; `UNAUTHENTICATED`, `PERMISSION_DENIED`; `INPUT_UNREADABLE` for an answer that cannot be decoded
 */
export function kafkaError(error: unknown, what: string): MoraineError {
  if (isMoraineError(error)) return error;
  const found = [...causesOf(error)];
  const text = textOf(found, error);
  const refused = found.find(({ apiId }) => typeof apiId === 'string' && apiId.endsWith('AUTHORIZATION_FAILED'));
  if (refused !== undefined)
    return new MoraineError('PERMISSION_DENIED', `Kafka refuses ${what}: ${text}`, {
      cause: error,
      remedy: 'Give the user the right to describe and to read the topic.',
    });
  const isWrongUser = found.some(({ code, cause }) => code === AUTHENTICATION && !isOfNetwork(cause));
  if (isWrongUser || found.some(({ code }) => typeof code === 'string' && CERTIFICATE.test(code)))
    return new MoraineError('UNAUTHENTICATED', `Kafka and this client do not accept each other: ${text}`, {
      cause: error,
      remedy: 'Check the user, the password, the mechanism of SASL and the files of TLS.',
    });
  if (found.some(({ code }) => TRANSIENT.has(code)))
    return new MoraineError('KAFKA_UNAVAILABLE', `Kafka gave no answer about ${what}: ${text}`, { cause: error });
  return new MoraineError('INPUT_UNREADABLE', `Kafka's answer about ${what} cannot be read: ${text}`, { cause: error });
}

/** Whether Kafka answered with one of its errors, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
export const hasKafkaError = (error: unknown, id: string): boolean =>
  [...causesOf(error)].some(({ apiId }) => apiId === id);

const isOfNetwork = (error: unknown): boolean => [...causesOf(error)].some(({ code }) => code === NETWORK);

/** An error and what is behind it. */
function* causesOf(error: unknown): Generator<ClientError, void, undefined> {
  if (!(error instanceof Error)) return;
  yield error;
  if (error instanceof AggregateError) for (const one of error.errors) yield* causesOf(one);
  yield* causesOf(error.cause);
}

function textOf(errors: readonly ClientError[], error: unknown): string {
  const texts = errors.map(({ message, apiId }) => (typeof apiId === 'string' ? `${message} (${apiId})` : message));
  const parts = new Set(texts.map((text) => text.replace(/\.$/, '')).filter((text) => text !== ''));
  return `${parts.size === 0 ? String(error) : [...parts].join(': ')}.`;
}
