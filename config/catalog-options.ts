/** Catalogs as `moraine.yaml` has them. */
import { z } from 'zod';
import { isSecretStorageOption, isStorageOption, storageOptions } from './storage-options.js';

const text = z.string().min(1, 'must not be empty');
const scalar = z.union([text, z.number(), z.boolean()]);

const hasScheme = (value: string): boolean => /^[A-Za-z][A-Za-z0-9+.-]*:/.test(value);

/** A bucket, with or without a prefix. */
export const isBucketPlace = (value: string): boolean => /^(s3[an]?|gs):\/\/./.test(value);
export const BUCKET_PLACE = 'must be s3://BUCKET, s3://BUCKET/PREFIX, or the same with gs://';

/** A place of tables: a folder of this machine, or a bucket with or without a prefix. */
export const isTablePlace = (value: string): boolean =>
  !hasScheme(value) || value.startsWith('file:/') || isBucketPlace(value);
export const TABLE_PLACE = 'must be a folder of this machine, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX';

const POSTGRES = /^postgres(ql)?(\+\w+)?:\/\//;

const isDatabase = (value: string): boolean =>
  !hasScheme(value) || /^sqlite:\/\/\/./.test(value) || (POSTGRES.test(value) && URL.canParse(value.replace('+', '-')));
const DATABASE = 'must be a SQLite file (a path, or sqlite:///PATH), or postgresql://USER:PASSWORD@HOST/DATABASE';

const isAddress = (value: string): boolean => /^https?:\/\/[^/]/.test(value) && URL.canParse(value);
const ADDRESS = 'must be the address of a REST catalog, such as https://host/path';

const isMetastore = (value: string): boolean =>
  value.split(',').every((each) => /^thrift:\/\/(\[[\da-f:]+\]|[^/:@\s]+)(:\d{1,5})?\/?$/i.test(each.trim()));
const METASTORE = 'must be the address of a Hive metastore, such as thrift://host:9083';

const isTrinoCatalog = (value: string): boolean => isAddress(value) && /^\/[^/]+\/?$/.test(new URL(value).pathname);
const TRINO_CATALOG = 'must be the address of a catalog of Trino, such as https://host:8443/CATALOG';

/** Scheme, host and port of a Trino, without a catalog. */
export const isTrinoServer = (value: string): boolean => {
  if (!isAddress(value)) return false;
  const { pathname, search, hash, username, password } = new URL(value);
  return pathname === '/' && [search, hash, username, password].every((part) => part === '');
};
export const TRINO_SERVER = 'must be the address of Trino without a catalog, such as https://host:8443';

/** Options of catalogs by their type, under the names that PyIceberg and Java give them. */
const OPTIONS = {
  sql: [],
  rest: [
    'token',
    'credential',
    'oauth2-server-uri',
    'scope',
    'audience',
    'resource',
    'token-refresh-enabled',
    'prefix',
    'rest.client.socket-timeout-ms',
    'rest.sigv4-enabled',
    'rest.signing-name',
    'rest.signing-region',
    'rest.access-key-id',
    'rest.secret-access-key',
    'rest.session-token',
    'maintained-by',
    'nessie.core-base-uri',
    'nessie.max-snapshots',
  ],
  glue: [
    'glue.region',
    'glue.endpoint',
    'glue.id',
    'glue.profile-name',
    'glue.access-key-id',
    'glue.secret-access-key',
    'glue.session-token',
  ],
  hive: ['ugi', 'hive.metastore.client.socket.timeout'],
  trino: ['trino.user', 'trino.password', 'trino.token', 'trino.query-timeout-ms'],
  memory: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

type CatalogType = keyof typeof OPTIONS;

/** Of them, and of headers, those that must not be written out in a file that people share. */
export const isSecretCatalogOption = (name: string): boolean =>
  /^((rest|glue)\.(secret-access-key|session-token)|trino\.(password|token)|token|credential)$/.test(name) ||
  /^header\.(authorization|.*(key|token|secret).*)$/i.test(name) ||
  isSecretStorageOption(name);

const HAS_HEADERS: ReadonlySet<CatalogType> = new Set(['rest', 'trino']);

/** Whether catalogs of a type have an option of this name. */
export const isCatalogOption = (type: CatalogType, name: string): boolean =>
  (OPTIONS[type] as readonly string[]).includes(name) ||
  (HAS_HEADERS.has(type) && /^header\.[A-Za-z0-9-]+$/.test(name));

/** Names of options of several AWS clients, by those of the client of a catalog that they stand in for. */
const SHARED: Readonly<Record<string, string>> = {
  'glue.region': 'client.region',
  'glue.profile-name': 'client.profile-name',
  'glue.access-key-id': 'client.access-key-id',
  'glue.secret-access-key': 'client.secret-access-key',
  'glue.session-token': 'client.session-token',
  'rest.signing-region': 'client.region',
  'rest.access-key-id': 'client.access-key-id',
  'rest.secret-access-key': 'client.secret-access-key',
  'rest.session-token': 'client.session-token',
};

/** The options of a catalog that `client.*` stands in for, where they are not set. */
export function sharedOptions(
  type: string,
  options: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const found = Object.entries(SHARED).flatMap(([name, shared]) => {
    const isMissing = name.startsWith(`${type}.`) && options[name] === undefined && options[shared] !== undefined;
    return isMissing ? [[name, options[shared]] as const] : [];
  });
  return Object.fromEntries(found);
}

/** What is wrong with the `uri` of a catalog of this type; undefined: nothing. */
function uriProblem(type: CatalogType, uri: string | undefined): string | undefined {
  if (type === 'rest') return uri !== undefined && isAddress(uri) ? undefined : ADDRESS;
  if (type === 'trino') return uri !== undefined && isTrinoCatalog(uri) ? undefined : TRINO_CATALOG;
  if (type === 'hive') return uri !== undefined && isMetastore(uri) ? undefined : METASTORE;
  if (uri === undefined) return undefined;
  if (type === 'memory') return 'is not for catalogs of type memory';
  if (type === 'glue')
    return 'is not for catalogs of type glue; another address than that of the region is glue.endpoint';
  return isDatabase(uri) ? undefined : DATABASE;
}

/** What is wrong with its `warehouse`; a REST catalog gives it a meaning of its own. */
function warehouseProblem(type: CatalogType, warehouse: string | undefined): string | undefined {
  if (type === 'rest') return undefined;
  if (type === 'trino')
    return warehouse === undefined ? undefined : 'is not for catalogs of type trino, which are read only';
  if (warehouse === undefined) return ['sql', 'memory'].includes(type) ? undefined : `is needed: it ${TABLE_PLACE}`;
  return isTablePlace(warehouse) ? undefined : TABLE_PLACE;
}

/** Who asks Trino. */
export const trinoOptions = z.record(z.string(), scalar).superRefine((options, context) => {
  for (const name of Object.keys(options)) {
    if (isCatalogOption('trino', name)) continue;
    const message = `is not an option; there are ${OPTIONS.trino.join(', ')} and header.NAME`;
    context.addIssue({ code: 'custom', path: [name], message });
  }
});

export const catalogSchema = z
  .strictObject({
    type: z.enum(['sql', 'rest', 'glue', 'hive', 'trino', 'memory']).optional(),
    uri: text.optional(),
    warehouse: text.optional(),
    options: z.record(z.string(), scalar).optional(),
  })
  .superRefine(({ type = 'sql', uri, warehouse, options = {} }, context) => {
    const check = (path: readonly string[], message: string | undefined): void => {
      if (message !== undefined) context.addIssue({ code: 'custom', path: [...path], message });
    };
    check(['uri'], uriProblem(type, uri));
    check(['warehouse'], warehouseProblem(type, warehouse));
    const known = [...OPTIONS[type], ...(HAS_HEADERS.has(type) ? ['header.NAME'] : [])]
      .join(', ')
      .replace(/, ([^,]*)$/, ' and $1');
    for (const name of Object.keys(options)) {
      if (isCatalogOption(type, name) || isStorageOption(name)) continue;
      const rule =
        known === '' ? `there are none but those of storage for catalogs of type ${type}` : `there are ${known}`;
      check(['options', name], `is not an option; ${rule}`);
    }
    if (type === 'glue' && options['client.role-arn'] !== undefined) {
      const message =
        'is not taken for Glue itself; set s3.role-arn, and glue.profile-name to a profile that takes the role';
      check(['options', 'client.role-arn'], message);
    }
    const ofStore = Object.entries(options).filter(([name]) => isStorageOption(name));
    const { error } = storageOptions.safeParse(Object.fromEntries(ofStore));
    for (const { path, message } of error?.issues ?? []) check(['options', ...path.map(String)], message);
  });
