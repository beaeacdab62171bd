/** Connections of clients that can be closed at any time. */
import {
  Connection,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
} from '@temporalio/client';

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];
type Call = ReturnType<Parameters<Interceptor>[1]>;

/**
 * Connects. Calls are retried as the SDK does it, and a few times when the server does not find the namespace, until the connection is
 * closed: a call that waits for its next attempt then ends, too.
 * With the SDK's own interceptor that attempt is made on the closed channel, where it throws from a timer and so ends the process.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  let closed = false;
  const retries = defaultGrpcRetryOptions();
  const retry = makeGrpcRetryInterceptor({
    ...retries,
    retryableDecider: (attempt, status) =>
      !closed && (retries.retryableDecider(attempt, status) || isNamespaceDoubtful(attempt, status)),
  });
  const interceptor: Interceptor = (call, next) => retry(call, (attempt) => (closed ? endedCall() : next(attempt)));
  const connection = await Connection.connect({ ...options, interceptors: [interceptor] });
  const close = connection.close.bind(connection);
  return Object.assign(connection, {
    close: () => {
      closed = true;
      return close();
    },
  });
}

/** `grpc.status.NOT_FOUND`. */
const NOT_FOUND = 5;

/** Attempts of a call whose namespace the server does not find: about a second in all. */
const NAMESPACE_ATTEMPTS = 4;

/** Whether a namespace may exist although the server does not find it: an overloaded server says so. */
function isNamespaceDoubtful(attempt: number, { code, details }: { code: number; details: string }): boolean {
  return attempt < NAMESPACE_ATTEMPTS && code === NOT_FOUND && /^Namespace \S+ is not found\.$/.test(details);
}

/** `grpc.status.CANCELLED`. */
const CANCELLED = 1;

/** A call that ends as soon as it is started. */
function endedCall(): Call {
  return {
    start(metadata, listener) {
      const none = metadata.clone();
      for (const name of Object.keys(none.getMap())) none.remove(name);
      listener?.onReceiveMessage?.(null);
      listener?.onReceiveStatus?.({ code: CANCELLED, details: 'The connection is closed.', metadata: none });
    },
    sendMessage: () => undefined,
    sendMessageWithContext: () => undefined,
    startRead: () => undefined,
    halfClose: () => undefined,
    cancelWithStatus: () => undefined,
    getPeer: () => 'none',
    getAuthContext: () => null,
  };
}
