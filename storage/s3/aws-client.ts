/** What every client of the AWS SDK is made with. */

interface Timeouts {
  readonly connectMs: number;
  readonly requestMs: number;
}

/**
 * Bounds on how long a connection, an answer, and a silence in its midst may take: without them a server that stops answering holds a
 * request for ever.
 */
export function requestHandler({ connectMs, requestMs }: Timeouts) {
  return {
    connectionTimeout: connectMs,
    requestTimeout: requestMs,
    // The SDK only warns otherwise.
    throwOnRequestTimeout: true,
    socketTimeout: requestMs,
  };
}

/** The version of the SDK is ours to choose; its users need not hear of releases of Node that later ones want. */
export function silenceVersionWarning(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
}
