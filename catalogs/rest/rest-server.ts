/** What a REST catalog says of itself: its properties and the requests that it takes. Source: "/v1/config" of the specification. */
import { MoraineError } from '../../errors/index.js';
import { isJsonArray, isJsonObject, type JsonValue } from '../../iceberg/index.js';
import { optionInvalid } from '../option-invalid.js';
import { keyLifetimeMs } from './idempotency.js';
import { members, type RestClient } from './rest-client.js';
import { RestFailure } from './rest-failure.js';
import type { RestOptions } from './rest-options.js';

/** Requests of a server that names none. Source: `endpoints` of `CatalogConfig`, "the default list". */
const DEFAULT_ENDPOINTS = [
  'GET /v1/{prefix}/namespaces',
  'POST /v1/{prefix}/namespaces',
  'GET /v1/{prefix}/namespaces/{namespace}',
  'DELETE /v1/{prefix}/namespaces/{namespace}',
  'POST /v1/{prefix}/namespaces/{namespace}/properties',
  'GET /v1/{prefix}/namespaces/{namespace}/tables',
  'POST /v1/{prefix}/namespaces/{namespace}/tables',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'POST /v1/{prefix}/namespaces/{namespace}/register',
  'POST /v1/{prefix}/tables/rename',
  'POST /v1/{prefix}/transactions/commit',
];

/** What a server says of itself. */
export interface RestServer {
  /** Defaults of the server, options, and what the server overrides, in this order. */
  readonly properties: ReadonlyMap<string, string>;
  readonly endpoints: ReadonlySet<string>;
  /** How long it remembers the keys of changes, in milliseconds; undefined where it takes none. */
  readonly keyLifetimeMs: number | undefined;
}

/** @throws RestFailure; MoraineError `CONFIG_INVALID` where the server sends to another address */
export async function askServer(client: RestClient, options: RestOptions, warehouse?: string): Promise<RestServer> {
  const query = warehouse === undefined ? '' : `?warehouse=${encodeURIComponent(warehouse).replaceAll("'", '%27')}`;
  const { text } = await client.read({ method: 'GET', path: `/v1/config${query}` });
  const { defaults, overrides, endpoints, 'idempotency-key-lifetime': lifetime } = members(text);
  const properties = new Map([...textEntries(defaults), ...Object.entries(options), ...textEntries(overrides)]);
  for (const name of ['uri', 'oauth2-server-uri', 'nessie.core-base-uri'])
    refuseOtherHost(client.address, name, options[name], properties.get(name));
  return { properties, endpoints: new Set(endpointsOf(endpoints)), keyLifetimeMs: keyLifetimeMs(lifetime) };
}

/** Whoever answers as the catalog must not direct credentials to a host that nobody configured. */
export function refuseOtherHost(
  address: string,
  name: string,
  configured: string | undefined,
  given: string | undefined,
): void {
  if (given === undefined || given === configured) return;
  const isSame = URL.canParse(given, address) && new URL(given, address).origin === new URL(address).origin;
  if (isSame) return;
  throw new MoraineError(
    'CONFIG_INVALID',
    `The catalog at ${address} says that ${name} is ${JSON.stringify(given)}, another host. Set ${name} to it if you trust it.`,
    { details: { option: name, given } },
  );
}

/** The members of an object that are texts; all others are left out. */
export function textEntries(value: JsonValue | undefined): readonly (readonly [string, string])[] {
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([name, text]) => (typeof text === 'string' ? [[name, text] as const] : []));
}

function endpointsOf(value: JsonValue | undefined): readonly string[] {
  if (value === undefined || value === null) return DEFAULT_ENDPOINTS;
  if (isJsonArray(value)) return value.filter((each) => typeof each === 'string');
  throw new RestFailure('unknown', 'its configuration has endpoints that are not a list', { status: 200 });
}

/**
 * The prefix of a catalog's paths, which a server gives encoded.
 * @throws MoraineError `CONFIG_INVALID` for one that leads to another place
 */
export function checkedPrefix(prefix: string | undefined): string | undefined {
  if (prefix === undefined || prefix === '') return undefined;
  const isPath =
    /^[^?#\\\s\p{Cc}]+$/u.test(prefix) &&
    prefix.split('/').every((part) => part !== '' && !/^(\.|%2e){1,2}$/i.test(part));
  if (isPath) return prefix;
  throw optionInvalid('prefix', 'must be a path without "..", queries and blanks');
}
