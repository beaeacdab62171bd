/** The way through a proxy for clients of the AWS SDK. */
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
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

type Connect = HttpsProxyAgent<string>['connect'];

/** Compares the certificate of a server that is named by its IP address with that address; the library would with `localhost`. */
class TunnelAgent extends HttpsProxyAgent<string> {
  override connect(request: Parameters<Connect>[0], options: Parameters<Connect>[1]): ReturnType<Connect> {
    const { host = '' } = options;
    if (isIP(host) === 0) return super.connect(request, options);
    const check = (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate);
    return super.connect(request, { ...options, checkServerIdentity: check } as typeof options);
  }
}

/**
 * Agents for requests to an address.
 * @param proxy the address of a proxy; unless given that of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`
 */
export function proxyAgents(endpoint: string, proxy?: string): ProxyAgents {
  const address = proxy ?? getProxyForUrl(endpoint);
  if (address === '') return {};
  const settings = { keepAlive: true, maxSockets: CONNECTIONS };
  return { httpAgent: new HttpProxyAgent(address, settings), httpsAgent: new TunnelAgent(address, settings) };
}
