/** `fetch` through the proxies of the environment, which that of Node.js 20 does not know. */
import { getProxyForUrl } from 'proxy-from-env';
import type { ProxyAgent } from 'undici';

const agents = new Map<string, ProxyAgent>();

/** As `fetch`, through the proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name for the address, if they name one. */
export async function proxiedFetch(url: string, init: RequestInit): Promise<Response> {
  const proxy = getProxyForUrl(url);
  if (proxy === '') return await fetch(url, init);
  const undici = await import('undici');
  let agent = agents.get(proxy);
  if (agent === undefined) {
    agent = new undici.ProxyAgent(proxy);
    agents.set(proxy, agent);
  }
  const sent = { ...init, dispatcher: agent } as Parameters<typeof undici.fetch>[1];
  return await undici.fetch(url, sent);
}
