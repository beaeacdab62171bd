/** Options of a REST catalog, under the names that PyIceberg and Java give them. */
import { createHash } from 'node:crypto';
import { optionInvalid } from '../option-invalid.js';

/** Options by name. Secrets among them never appear in messages. */
export type RestOptions = Readonly<Record<string, string>>;

/** A whole answer must come within this time unless `rest.client.socket-timeout-ms` says otherwise. */
const REQUEST_TIMEOUT_MS = 60_000;

/**
 * The base address of a catalog, without a slash at its end.
 * @throws MoraineError `CONFIG_INVALID` for one that has no host, holds a password or a query, or is not of http
 */
export function baseAddress(uri: string): URL {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw optionInvalid('uri', 'must be an address such as https://host/path');
  if (url.username !== '' || url.password !== '')
    throw optionInvalid('uri', 'must not hold a user or password: set credential or token');
  if (url.search !== '' || url.hash !== '') throw optionInvalid('uri', 'must not have a query or a fragment');
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** How long a request may take, in milliseconds. */
export function requestTimeoutMs(options: RestOptions): number {
  const text = options['rest.client.socket-timeout-ms'];
  if (text === undefined) return REQUEST_TIMEOUT_MS;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 3_600_000) return value;
  throw optionInvalid('rest.client.socket-timeout-ms', 'must be a whole number of milliseconds, at most 3600000');
}

/** How many snapshots of a table of a Nessie server are known unless `nessie.max-snapshots` says otherwise. */
const MAX_SNAPSHOTS = 1000;

/** How many snapshots of a table are looked for in the log of a Nessie server. */
export function maxSnapshots(options: RestOptions): number {
  const text = options['nessie.max-snapshots'];
  if (text === undefined) return MAX_SNAPSHOTS;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 100_000) return value;
  throw optionInvalid('nessie.max-snapshots', 'must be a whole number of snapshots, at most 100000');
}

/** Headers that every request has: options `header.NAME`, as PyIceberg has them. */
export function extraHeaders(options: RestOptions): Readonly<Record<string, string>> {
  const named = Object.entries(options).filter(([name]) => name.startsWith('header.'));
  return Object.fromEntries(named.map(([name, value]) => [name.slice('header.'.length).toLowerCase(), value]));
}

/** Tells who asks a catalog from others who may, by what is no secret of the options. */
export function restPrincipal(options: RestOptions): string {
  const { credential, token } = options;
  if (credential?.includes(':') === true) return credential.slice(0, credential.indexOf(':'));
  const secret = credential ?? token;
  if (secret !== undefined) return createHash('sha256').update(secret).digest('hex').slice(0, 16);
  return options['rest.access-key-id'] ?? '';
}
