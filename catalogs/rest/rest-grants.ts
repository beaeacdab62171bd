/**
 * Access to a table's files in the answers of a REST catalog: credentials, or a service that signs requests to the store.
 * Source: Iceberg REST catalog specification, `LoadTableResult`, `StorageCredential`, and its S3 signer API.
 */
import { MoraineError } from '../../errors/index.js';
import { isJsonArray, isJsonObject, type JsonObject, type TableMetadata } from '../../iceberg/index.js';
import type { PrefixGrant, StorageOptions, StoreRequest } from '../../storage/index.js';
import { optionInvalid } from '../option-invalid.js';
import { members, type RestClient } from './rest-client.js';
import { RestFailure } from './rest-failure.js';
import { unavailable } from './rest-refusals.js';
import { refuseOtherHost, textEntries } from './rest-server.js';
import { checkedEndpoint } from './store-endpoint.js';

/** The header by which a client says what it can use, and what this one can. */
export const DELEGATION = {
  'header.x-iceberg-access-delegation': 'vended-credentials,remote-signing',
} as const;

/** Where requests are signed unless the catalog names another place. */
const SIGNER_ENDPOINT = 'v1/aws/s3/sign';

/** Where a table may have files. The last two are of Java's object storage layout. */
const PATH_PROPERTIES = [
  'write.data.path',
  'write.metadata.path',
  'write.object-storage.path',
  'write.folder-storage.path',
];

/** The folders that belong to a table. */
export function foldersOf({ location, properties }: TableMetadata): readonly string[] {
  return [location, ...PATH_PROPERTIES.flatMap((name) => properties.get(name) ?? [])];
}

/**
 * What an answer gives. Nothing of it is in messages.
 * @param answer a `LoadTableResult` or a `LoadCredentialsResponse`
 * @param server what the catalog says of all its tables
 * @param address the project's own address of the store, under the name of its option; empty: it has none
 * @throws MoraineError `CONFIG_INVALID` for addresses that nobody configured
 */
export function grantedPrefixes(
  answer: JsonObject,
  server: ReadonlyMap<string, string>,
  client: RestClient,
  address: StorageOptions = {},
): readonly PrefixGrant[] {
  const { config, 'storage-credentials': list } = answer;
  const own = Object.entries(address);
  const place = { client, address };
  const common = new Map([...server, ...textEntries(config), ...own]);
  const listed = list !== undefined && isJsonArray(list) ? list : [];
  const ofPrefixes = listed.flatMap((each) => {
    if (!isJsonObject(each) || typeof each['prefix'] !== 'string') return [];
    const settings = new Map([...common, ...textEntries(each['config']), ...own]);
    return prefixGrants(each['prefix'].replace(/^s3[an]:\/\//, 's3://'), settings, place);
  });
  return [...ofPrefixes, ...prefixGrants('', common, place)];
}

interface Place {
  readonly client: RestClient;
  /** As {@link grantedPrefixes} has it. */
  readonly address: StorageOptions;
}

type Settings = ReadonlyMap<string, string>;

function prefixGrants(prefix: string, settings: Settings, place: Place): PrefixGrant[] {
  if (prefix.startsWith('gs://')) return gcsGrant(prefix, settings, place);
  return [...s3Grant(prefix, settings, place), ...(prefix === '' ? gcsGrant('gs://', settings, place) : [])];
}

function s3Grant(prefix: string, settings: Settings, place: Place): PrefixGrant[] {
  const hasKeys = settings.has('s3.access-key-id') && settings.has('s3.secret-access-key');
  const isSigned = settings.get('s3.remote-signing-enabled')?.toLowerCase() === 'true';
  if (!hasKeys && !isSigned) return [];
  return [
    {
      prefix,
      options: s3Options(settings, place),
      ...expiry(settings.get('s3.session-token-expires-at-ms')),
      ...(hasKeys ? {} : { sign: signerOf(settings, place.client) }),
    },
  ];
}

/** A token for Google Cloud Storage. Source: Apache Iceberg, `GCPProperties`. */
function gcsGrant(prefix: string, settings: Settings, place: Place): PrefixGrant[] {
  const token = settings.get('gcs.oauth2.token');
  if (token === undefined) return [];
  const options = { 'gcs.oauth2.token': token, ...addressOf('gcs.service.host', settings, place) };
  return [{ prefix, options, ...expiry(settings.get('gcs.oauth2.token-expires-at')) }];
}

/** @param time in milliseconds since 1970 */
function expiry(time: string | undefined): { readonly expiresMs?: number } {
  const expiresMs = Number(time ?? Number.NaN);
  return Number.isFinite(expiresMs) ? { expiresMs } : {};
}

/** The address of the store, under the name of its option. */
function addressOf(name: string, settings: Settings, { client, address }: Place): StorageOptions {
  const given = settings.get(name);
  if (given === undefined) return {};
  return { [name]: address[name] === undefined ? checkedEndpoint(name, given, client.address) : given };
}

/** The settings of the store, under the names of storage options. */
function s3Options(settings: Settings, place: Place): StorageOptions {
  const region = settings.get('s3.region') ?? settings.get('client.region');
  const isPath = settings.get('s3.path-style-access')?.toLowerCase();
  const isVirtual =
    settings.get('s3.force-virtual-addressing') ?? (isPath === undefined ? undefined : isPath !== 'true');
  const keys = ['s3.access-key-id', 's3.secret-access-key', 's3.session-token'].flatMap((name) => {
    const value = settings.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...addressOf('s3.endpoint', settings, place),
    ...(region === undefined ? {} : { 's3.region': region }),
    ...(isVirtual === undefined ? {} : { 's3.force-virtual-addressing': String(isVirtual) }),
    ...(Object.fromEntries(keys) as StorageOptions),
  };
}

function signerOf(settings: Settings, client: RestClient): NonNullable<PrefixGrant['sign']> {
  const address = `${(settings.get('s3.signer.uri') ?? client.address).replace(/\/+$/, '')}/`;
  const endpoint = settings.get('s3.signer.endpoint') ?? SIGNER_ENDPOINT;
  if (!URL.canParse(endpoint, address)) throw optionInvalid('s3.signer.endpoint', 'is not an address');
  const url = new URL(endpoint, address);
  refuseOtherHost(client.address, 's3.signer.uri', undefined, url.href);
  const signer = client.at(url.origin);
  const path = `${url.pathname}${url.search}`;
  const token = settings.get('token');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const region = settings.get('s3.region') ?? settings.get('client.region') ?? 'us-east-1';
  return async ({ method, url: to, headers: given, body }: StoreRequest) => {
    const request = {
      region,
      uri: to.href,
      method,
      headers: Object.fromEntries(Object.entries(given).map(([name, value]) => [name, [value]])),
      ...(body === undefined ? {} : { body }),
    };
    try {
      const { text } = await signer.read({ method: 'POST', path, body: request, headers });
      return signedHeaders(members(text), to);
    } catch (error) {
      if (!(error instanceof RestFailure)) throw error;
      if (error.outcome !== 'refused') throw unavailable(signer.address, error);
      const what = `${method} ${to.origin}${to.pathname}`;
      const message = `The catalog at ${signer.address} does not sign ${what} for the store: ${error.message}.`;
      throw new MoraineError('STORAGE_UNAVAILABLE', message, { cause: error });
    }
  };
}

/** The headers of a signed request. One that would go to another address is not sent. */
function signedHeaders({ uri, headers }: JsonObject, to: URL): Readonly<Record<string, string>> {
  const isSame = typeof uri === 'string' && URL.canParse(uri) && withoutQuery(uri) === withoutQuery(to.href);
  if (!isSame || !isJsonObject(headers))
    throw new RestFailure('unknown', 'it signed another request than the one that it was given', { status: 200 });
  return Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [
      name,
      (values !== undefined && isJsonArray(values) ? values : []).map(String).join(', '),
    ]),
  );
}

function withoutQuery(text: string): string {
  const { origin, pathname } = new URL(text);
  return decodeURIComponent(`${origin}${pathname}`);
}
