/** The way through a proxy for clients of the AWS SDK. */
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { getProxyForUrl } from 'proxy-from-env';

/** Agents, as the SDK takes them; none for the direct way. */
export interface ProxyAgents {
  readonly httpAgent?: HttpAgent;
  readonly httpsAgent?: HttpsAgent;
}

/** Connections to a proxy at a time: as many as the SDK has to a store. */
const CONNECTIONS = 50;

/**
 * Agents for requests to an address.
 * @param proxy the address of a proxy; unless given that of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`
 */
export function proxyAgents(endpoint: string, proxy?: string): ProxyAgents {
  const address = proxy ?? getProxyForUrl(endpoint);
  if (address === '') return {};
  const settings = { keepAlive: true, maxSockets: CONNECTIONS };
  return { httpAgent: new HttpProxyAgent(address, settings), httpsAgent: new HttpsProxyAgent(address, settings) };
}
