/** Addresses of stores that a catalog names: whoever answers as the catalog must not send requests where it likes. */
import { BlockList, isIP } from 'node:net';
import { MoraineError } from '../../errors/index.js';

/** Addresses of the machine itself, of its own network segment, and of clouds' metadata services. Source: RFC 6890. */
const INWARD = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
] as const)
  INWARD.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::', 127],
  ['fe80::', 10],
  ['fd00:ec2::', 32],
] as const)
  INWARD.addSubnet(network, bits, 'ipv6');

const INWARD_NAMES = /(^|\.)(localhost|metadata|metadata\.google\.internal)\.?$/i;

/**
 * The address of a store as a catalog gives it, under the name of its option. On the host of the catalog itself everything is allowed.
 * @throws MoraineError `CONFIG_INVALID` for one on this machine or of a cloud's metadata service, and for plain http where the catalog has https
 */
export function checkedEndpoint(option: string, endpoint: string, catalog: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const own = new URL(catalog);
  const isAddress = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (!isAddress) throw refused(option, endpoint, catalog, 'which is not the address of a store');
  if (url.hostname === own.hostname) return endpoint;
  if (url.protocol === 'http:' && own.protocol === 'https:') throw refused(option, endpoint, catalog, 'without TLS');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(host);
  const isInward = version === 0 ? INWARD_NAMES.test(host) : INWARD.check(host, version === 4 ? 'ipv4' : 'ipv6');
  if (isInward) throw refused(option, endpoint, catalog, 'an address of this machine or of its network');
  return endpoint;
}

function refused(option: string, endpoint: string, catalog: string, reason: string): MoraineError {
  const message = `The catalog at ${catalog} says that ${option} is ${JSON.stringify(endpoint)}, ${reason}. Set ${option} in storage.options if you trust it.`;
  return new MoraineError('CONFIG_INVALID', message, { details: { option, given: endpoint } });
}
