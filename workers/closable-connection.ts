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
 * Connects. Calls are retried as the SDK does it, until the connection is closed: a call that waits for its next attempt then ends, too.
 * With the SDK's own interceptor that attempt is made on the closed channel, where it throws from a timer and so ends the process.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  let closed = false;
  const retries = defaultGrpcRetryOptions();
  const retry = makeGrpcRetryInterceptor({
    ...retries,
    retryableDecider: (attempt, status) => !closed && retries.retryableDecider(attempt, status),
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
