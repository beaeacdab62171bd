/** What every client of the AWS SDK is made with. */
import type { ProxyAgents } from './proxy-agents.js';

interface RequestSettings {
  readonly connectMs: number;
  readonly requestMs: number;
  /** The way through a proxy; none unless given. */
  readonly agents?: ProxyAgents;
}

/**
 * Bounds on how long a connection, an answer, and a silence in its midst may take: without them a server that stops answering holds a
 * request for ever.
 */
export function requestHandler({ connectMs, requestMs, agents = {} }: RequestSettings) {
  return {
    ...agents,
    connectionTimeout: connectMs,
    requestTimeout: requestMs,
    // The SDK only warns otherwise.
    throwOnRequestTimeout: true,
    socketTimeout: requestMs,
  };
}

/** The way to an address through the proxy of the environment, if there is one for it. */
export async function proxyAgentsFor(endpoint: string): Promise<ProxyAgents> {
  const { proxyAgents } = await import('./proxy-agents.js');
  return proxyAgents(endpoint);
}

/** The version of the SDK is ours to choose; its users need not hear of releases of Node that later ones want. */
export function silenceVersionWarning(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
}

/** Keys that are written out in options. */
interface StaticCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * The keys that options name under a prefix, for example `s3.access-key-id`; undefined where they name none.
 * @param invalid makes the error of an option
 */
export function staticCredentials(
  options: Readonly<Record<string, string>>,
  prefix: string,
  invalid: (name: string, rule: string) => Error,
): StaticCredentials | undefined {
  const accessKeyId = options[`${prefix}.access-key-id`];
  const secretAccessKey = options[`${prefix}.secret-access-key`];
  const sessionToken = options[`${prefix}.session-token`];
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined) return undefined;
  if (accessKeyId === undefined) throw invalid(`${prefix}.access-key-id`, 'is missing beside the other credentials');
  if (secretAccessKey === undefined) throw invalid(`${prefix}.secret-access-key`, 'is missing beside the access key');
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
